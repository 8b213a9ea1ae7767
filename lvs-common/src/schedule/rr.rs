//! Round robin: `ip_vs_rr_schedule` and `ip_vs_rr_del_dest` in net/netfilter/ipvs/ip_vs_rr.c.

use super::Candidate;

/// Where the last pick stands in the list; nothing before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rr {
    last: Option<usize>,
}

impl Rr {
    /// A service without a pick.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: None }
    }

    pub(super) fn server_added(&mut self) {
        self.last = self.last.map(|last| last + 1);
    }

    pub(super) fn server_removed(&mut self, index: usize) {
        self.last = match self.last {
            Some(last) if last >= index => last.checked_sub(1),
            last => last,
        };
    }

    pub(super) fn next(&mut self, servers: &[Candidate]) -> Option<usize> {
        let start = self.last.map_or(0, |last| last + 1);
        let next = (start..servers.len())
            .chain(0..start.min(servers.len()))
            .find(|index| servers.get(*index).is_some_and(|server| server.available && server.weight > 0))?;
        self.last = Some(next);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(weights: &[u32]) -> Vec<Candidate> {
        weights.iter().map(|weight| Candidate { weight: *weight, available: true }).collect()
    }

    fn picks(rr: &mut Rr, servers: &[Candidate], n: usize) -> Vec<usize> {
        (0..n).filter_map(|_| rr.next(servers)).collect()
    }

    #[test]
    fn goes_round_and_passes_over_weight_0() {
        assert_eq!(picks(&mut Rr::new(), &servers(&[1, 0, 5]), 5), [0, 2, 0, 2, 0]);
        assert_eq!(picks(&mut Rr::new(), &servers(&[0, 0]), 2), []);
    }

    #[test]
    fn goes_on_after_the_last_pick_when_a_server_comes_or_leaves() {
        let mut rr = Rr::new();
        assert_eq!(picks(&mut rr, &servers(&[1, 1, 1]), 2), [0, 1]);
        rr.server_added();
        assert_eq!(picks(&mut rr, &servers(&[1, 1, 1, 1]), 1), [3]);
        rr.server_removed(3);
        assert_eq!(picks(&mut rr, &servers(&[1, 1, 1]), 2), [0, 1]);
        rr.server_removed(0);
        assert_eq!(picks(&mut rr, &servers(&[1, 1]), 1), [1]);
    }
}
