//! The table of cases.

use lvs_common::verdict::Reason;

use super::case::Program::{Director, LruHash};
use super::case::{Case, Flows};
use super::frame::Kind;

const THOUSAND: u32 = 1 << 10;
const MILLION: u32 = 1 << 20;
/// How much an established packet may cost more with many services or real servers, and a new connection.
const FLAT_ESTABLISHED: f64 = 0.10;
const FLAT_NEW: f64 = 0.30;

/// Every case; what is left out of quick runs included.
pub(crate) fn all() -> Vec<Case> {
    const ONE_FLOW: &str = "established TCP, 1 flow";
    const ESTABLISHED: &str = "established TCP, 64 k flows";
    const NEW: &str = "new TCP, with room";
    let known = |name: &str, flows| known(name, Kind::Ack, flows);
    vec![
        Case { bar: Some(2.5), ..known(ONE_FLOW, 1) },
        Case { bar: Some(2.5), ..known(ESTABLISHED, 64 * THOUSAND) },
        Case { bar: Some(2.2), ..known("established TCP, 1 M flows", MILLION) },
        Case { takes_long: true, ..known("established TCP, 4 M flows", 4 * MILLION) },
        Case {
            connections: MILLION,
            takes_long: true,
            ..known("established TCP, 64 k flows in a table for 1 M", 64 * THOUSAND)
        },
        self::known("established UDP, 64 k flows", Kind::Udp, 64 * THOUSAND),
        new(NEW),
        Case {
            flows: Flows::NewAfter(2_500_000),
            connections: MILLION / 2,
            bar: Some(2.0),
            ..new("new TCP, table of 1 M full")
        },
        unrelated("passed: not for a VIP", Kind::OtherAddress, Reason::NotVip),
        unrelated("passed: another host's MAC", Kind::OtherHost, Reason::ForeignMac),
        Case {
            services: 10_000,
            flat: Some((ESTABLISHED, FLAT_ESTABLISHED)),
            ..known("established TCP, 64 k flows to one of 10,000 services", 64 * THOUSAND)
        },
        Case {
            services: 10_000,
            used_services: 10_000,
            flat: Some((ESTABLISHED, FLAT_ESTABLISHED)),
            ..known("established TCP, 64 k flows to 10,000 services", 64 * THOUSAND)
        },
        Case {
            servers: 1_000,
            flat: Some((ESTABLISHED, FLAT_ESTABLISHED)),
            ..known("established TCP, 64 k flows, 1,000 servers", 64 * THOUSAND)
        },
        Case { services: 10_000, flat: Some((NEW, FLAT_NEW)), ..new("new TCP, to one of 10,000 services") },
        Case {
            services: 10_000,
            used_services: 10_000,
            flat: Some((NEW, FLAT_NEW)),
            ..new("new TCP, to 10,000 services")
        },
        Case { servers: 1_000, flat: Some((NEW, FLAT_NEW)), ..new("new TCP, 1,000 servers") },
        Case {
            services: 100,
            used_services: 100,
            takes_long: true,
            ..known("established TCP, 64 k flows to 100 services", 64 * THOUSAND)
        },
        Case {
            servers: 32,
            takes_long: true,
            ..known("established TCP, 64 k flows, 32 servers", 64 * THOUSAND)
        },
        Case { services: 100, used_services: 100, takes_long: true, ..new("new TCP, to 100 services") },
        Case { servers: 32, takes_long: true, ..new("new TCP, 32 servers") },
        Case { cpus: 2, ..known("established TCP, 64 k flows, 2 CPUs", 64 * THOUSAND) },
        Case { cpus: 2, takes_long: true, ..known("established TCP, 1 flow, 2 CPUs", 1) },
        Case { cpus: 2, packets: 256 * THOUSAND, ..new("new TCP, with room, 2 CPUs") },
    ]
}

fn known(name: &str, kind: Kind, flows: u32) -> Case {
    Case {
        name: name.to_owned(),
        kind,
        flows: Flows::Known(flows),
        connections: flows.max(THOUSAND),
        services: 1,
        used_services: 1,
        servers: 2,
        cpus: 1,
        packets: 2 * MILLION,
        expected: Reason::KnownConnection,
        programs: &[Director, LruHash],
        bar: None,
        flat: None,
        takes_long: false,
    }
}

fn new(name: &str) -> Case {
    Case {
        flows: Flows::NewWithRoom,
        connections: MILLION,
        packets: 512 * THOUSAND,
        expected: Reason::NewConnection,
        ..known(name, Kind::Syn, 0)
    }
}

fn unrelated(name: &str, kind: Kind, expected: Reason) -> Case {
    Case { flows: Flows::Unrelated(64 * THOUSAND), expected, ..known(name, kind, 64 * THOUSAND) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::all;

    #[test]
    fn names_are_unique_and_every_comparison_has_its_case() {
        let cases = all();
        let names: HashSet<_> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len());
        assert!(cases.iter().filter_map(|case| case.flat).all(|(base, _)| names.contains(base)));
    }
}
