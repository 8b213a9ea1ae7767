//! How a slot table is shared out.

use proptest::collection::vec;
use proptest::prelude::{prop_assert_eq, proptest};

use super::*;

proptest! {
    /// One packet after the other the slots are gone through in order, so whole cycles give each server exactly its slots.
    #[test]
    fn whole_cycles_give_each_server_its_slots(slots in vec(1..8_u32, 1..40), cycles in 1..6_usize) {
        let mut tables = tables(512);
        tables.put_service(tcp_service(), &slots);
        (1..8).for_each(|server| tables.set_link(server, link(server)));
        let open = |client| sent(&tables, &tcp(client, SYN), NOW);
        let picks: Vec<_> = (0..(slots.len() * cycles) as u16).map(open).collect();
        let expected: Vec<_> =
            slots.repeat(cycles).into_iter().map(|server| (server, Reason::NewConnection)).collect();
        prop_assert_eq!(picks, expected);
        for server in 1..8 {
            let own = slots.iter().filter(|slot| **slot == server).count() * cycles;
            prop_assert_eq!(counted(&tables, server), (own as u64, 0));
        }
    }

    /// The counter of turns may start anywhere: the remainder decides.
    #[test]
    fn the_turn_decides_the_slot(turn: u64, slots in vec(1..8_u32, 1..40)) {
        let mut tables = tables(16);
        tables.put_service(tcp_service(), &slots);
        (1..8).for_each(|server| tables.set_link(server, link(server)));
        tables.services[&tcp_service()].turn.store(turn);
        let expected = slots[(turn % slots.len() as u64) as usize];
        prop_assert_eq!(sent(&tables, &tcp(1, SYN), NOW), (expected, Reason::NewConnection));
        prop_assert_eq!(tables.services[&tcp_service()].turn.load(), turn.wrapping_add(1));
    }
}
