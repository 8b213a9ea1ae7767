//! Weighted round robin: `ip_vs_wrr_schedule` and `ip_vs_wrr_dest_changed` in net/netfilter/ipvs/ip_vs_wrr.c.

use super::Candidate;

/// The kernel's mark: the last pick and the weight that a server needs to be picked in this pass over the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wrr {
    last: Option<usize>,
    current_weight: u32,
}

/// The greatest common divisor of the weights over 0; 1 when there are none.
pub(super) fn divisor(servers: &[Candidate]) -> u32 {
    let weights = servers.iter().map(|server| server.weight).filter(|weight| *weight > 0);
    weights.reduce(greatest_common_divisor).unwrap_or(1)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    match a.checked_rem(b) {
        None => a,
        Some(rest) => greatest_common_divisor(b, rest),
    }
}

/// The weight with which a pass over the list begins: the passes go down from here to 1 by the divisor.
fn highest_pass(servers: &[Candidate]) -> u32 {
    let heaviest = servers.iter().map(|server| server.weight).max().unwrap_or(0);
    (heaviest + 1).saturating_sub(divisor(servers))
}

impl Wrr {
    /// The mark of a service that already has servers: a scheduler that takes over from another.
    #[must_use]
    pub fn new(servers: &[Candidate]) -> Self {
        Self { last: None, current_weight: highest_pass(servers) }
    }

    pub(super) fn servers_changed(&mut self, servers: &[Candidate]) {
        let (highest, divisor) = (highest_pass(servers), divisor(servers));
        self.last = None;
        if self.current_weight > highest || self.current_weight == 0 {
            self.current_weight = highest;
        } else {
            self.current_weight = self.current_weight / divisor * divisor + u32::from(divisor > 1);
        }
    }

    pub(super) fn next(&mut self, servers: &[Candidate]) -> Option<usize> {
        let usable = servers.iter().filter(|server| server.available).map(|server| server.weight).max()?;
        if usable == 0 {
            return None;
        }
        loop {
            let start = self.last.map_or(0, |last| last + 1);
            let found =
                servers.iter().skip(start).position(|s| s.available && s.weight >= self.current_weight);
            if let Some(offset) = found {
                self.last = Some(start + offset);
                return self.last;
            }
            self.last = None;
            self.current_weight = self.next_pass(servers, usable);
        }
    }

    /// The next pass in which somebody can be picked: what is heavier than every usable server is not walked one by one.
    fn next_pass(&self, servers: &[Candidate], usable: u32) -> u32 {
        let (highest, divisor) = (highest_pass(servers), divisor(servers));
        let below = match self.current_weight.checked_sub(divisor) {
            None | Some(0) => highest,
            Some(below) => below,
        };
        if below <= usable { below } else { below - (below - usable).div_ceil(divisor) * divisor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Turns;

    /// The file says how it was recorded.
    const RECORDED: &str = include_str!("wrr_recorded.txt");

    fn turns(name: &str) -> Turns {
        match name {
            "rr" => Turns::Rr(crate::schedule::Rr::new()),
            _ => Turns::Wrr(Wrr::default()),
        }
    }

    /// Adds servers as ipvsadm does: each new one at the head.
    fn add(turns: &mut Turns, weights: &[u32]) -> Vec<Candidate> {
        let mut servers = Vec::new();
        for weight in weights {
            servers.insert(0, Candidate { weight: *weight, available: true });
            turns.server_added(&servers);
        }
        servers
    }

    /// Who is picked, by the names in the order of addition.
    fn named(turns: &mut Turns, servers: &[Candidate], names: &[&str], n: usize) -> String {
        let pick = |_| turns.next(servers).map_or("-", |index| names[servers.len() - 1 - index]);
        (0..n).map(pick).collect::<Vec<_>>().join(" ")
    }

    fn picks(turns: &mut Turns, servers: &[Candidate], n: usize) -> String {
        named(turns, servers, &["rs1", "rs2", "rs3", "rs4"], n)
    }

    #[test]
    fn picks_in_the_kernels_order() {
        let mut cases = 0;
        for case in RECORDED.lines().filter(|line| !line.starts_with('#')) {
            let (setup, order) = case.split_once(": ").unwrap();
            let (scheduler, servers) = setup.split_once(' ').unwrap();
            let (names, weights): (Vec<_>, Vec<u32>) = servers
                .split(' ')
                .map(|server| server.split_once('=').unwrap())
                .map(|(name, weight)| (name, weight.parse::<u32>().unwrap()))
                .unzip();
            let mut turns = turns(scheduler);
            let servers = add(&mut turns, &weights);
            assert_eq!(named(&mut turns, &servers, &names, order.split(' ').count()), order, "{setup}");
            cases += 1;
        }
        assert_eq!(cases, 20);
    }

    /// Recorded in the same run: weights 2 and 1, four picks, then rs1 edited to 1 and rs2 to 3, twelve picks, then both to 0.
    #[test]
    fn goes_on_as_the_kernel_does_after_edits() {
        let mut turns = turns("wrr");
        let mut servers = add(&mut turns, &[2, 1]);
        assert_eq!(picks(&mut turns, &servers, 4), "rs2 rs1 rs1 rs2");
        for (index, weight) in [(1, 1), (0, 3)] {
            servers[index].weight = weight;
            turns.server_edited(&servers);
        }
        assert_eq!(picks(&mut turns, &servers, 12), "rs2 rs1 rs2 rs2 rs2 rs1 rs2 rs2 rs2 rs1 rs2 rs2");
        for index in 0..2 {
            servers[index].weight = 0;
            turns.server_edited(&servers);
        }
        assert_eq!(picks(&mut turns, &servers, 3), "- - -");
    }

    #[test]
    fn one_cycle_repeats_and_holds_each_server_by_weight() {
        let mut turns = turns("wrr");
        let servers = add(&mut turns, &[6, 4, 0, 10]);
        assert_eq!(turns.cycle(&servers), 10);
        let start = turns;
        let first = picks(&mut turns, &servers, 10);
        assert_eq!(turns, {
            let mut again = start;
            picks(&mut again, &servers, 10);
            again
        });
        assert_eq!(picks(&mut turns, &servers, 10), first);
        let count = |name| first.split(' ').filter(|pick| *pick == name).count();
        assert_eq!([count("rs1"), count("rs2"), count("rs3"), count("rs4")], [3, 2, 0, 5]);
    }

    #[test]
    fn a_server_that_is_not_available_is_passed_over_quickly() {
        let mut turns = turns("wrr");
        let mut servers = add(&mut turns, &[2_147_483_647, 1]);
        servers[1].available = false;
        assert_eq!(picks(&mut turns, &servers, 3), "rs2 rs2 rs2");
        assert_eq!(turns.cycle(&servers), 1);
    }
}
