//! What `up` changed, on disk before it changes it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::plan::Step;
use super::vip::Vip;
use crate::journal::Journal;
use crate::netns::NetnsIdentity;

/// What `up` was asked for and what it changed for that, in one network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The VIPs that `up` was asked for, also those that were there.
    pub vips: Vec<Vip>,
    /// The changes in the order in which they are made.
    pub steps: Vec<Step>,
}

/// Where the record of a network namespace is kept, in a folder that need not exist.
#[must_use]
pub fn journal(folder: &Path, namespace: NetnsIdentity) -> Journal<Record> {
    let path = folder.join(format!("real-server-{}.json", namespace.cookie));
    Journal::new(path, "real-server-1", namespace)
}

impl Record {
    /// The record once these VIPs are asked for and these steps are planned. What is remembered of an
    /// earlier `up` stays: a setting's original value is the one that was found first.
    #[must_use]
    pub fn with(&self, vips: &[Vip], steps: &[Step]) -> Self {
        let mut record = self.clone();
        record.vips.extend(vips.iter().filter(|vip| !self.vips.contains(vip)));
        record.steps.extend(steps.iter().filter(|step| !self.covers(step)));
        record
    }

    /// Whether a step of the same object is recorded.
    #[must_use]
    pub fn covers(&self, step: &Step) -> bool {
        self.steps.iter().any(|recorded| match (recorded, step) {
            (Step::Set { setting: a, .. }, Step::Set { setting: b, .. }) => a == b,
            (Step::AddAddress { vip: a }, Step::AddAddress { vip: b }) => a == b,
            (Step::Set { .. }, Step::AddAddress { .. }) | (Step::AddAddress { .. }, Step::Set { .. }) => {
                false
            }
        })
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.vips.is_empty() && self.steps.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::journal::Loaded;
    use crate::real_server::setting::Setting;

    fn example() -> Record {
        let vip = "172.30.100.1".parse().unwrap();
        let steps =
            [Step::Set { setting: Setting::AllArpIgnore, found: 0, value: 1 }, Step::AddAddress { vip }];
        Record::default().with(&[vip], &steps)
    }

    #[test]
    fn a_record_with_anything_unknown_in_it_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path(), NetnsIdentity { cookie: 7, boot_id: "this boot".to_owned() });
        journal.store(&example()).unwrap();
        assert_eq!(journal.load().unwrap(), Loaded::Found(example()));
        let text = fs::read_to_string(journal.path()).unwrap();
        for (from, to) in [
            ("real-server-1", "real-server-2"),
            ("all.arp_ignore", "all.forwarding"),
            ("172.30.100.1", "224.0.0.1"),
            ("\"vips\"", "\"more\": 1, \"vips\""),
        ] {
            assert_ne!(text.replace(from, to), text, "{from} is in the record");
            fs::write(journal.path(), text.replace(from, to)).unwrap();
            assert!(matches!(journal.load().unwrap(), Loaded::Unusable { .. }), "{to}");
        }
    }

    #[test]
    fn the_value_found_first_is_the_one_remembered() {
        let again = [Step::Set { setting: Setting::AllArpIgnore, found: 3, value: 1 }];
        assert_eq!(example().with(&example().vips, &again), example());
    }
}
