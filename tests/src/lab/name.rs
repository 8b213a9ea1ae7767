//! What a lab is called, and so who owns what stands under `/run`.

use std::fmt;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, ensure};

const PREFIX: &str = "lvs-";

/// A lab's name: every namespace and folder of the lab begins with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LabName(String);

impl LabName {
    /// A name that no other lab has: this process's id and a counter.
    pub(super) fn unique() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        Self(format!("{PREFIX}{}-{number}", process::id()))
    }

    /// A name that a later process can find the lab by. Letters only, so that it is never taken for a process id.
    pub(super) fn fixed(name: &str) -> Result<Self> {
        ensure!(
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase()),
            "lab name {name:?} must be lower-case letters only"
        );
        Ok(Self(format!("{PREFIX}{name}")))
    }

    /// The namespace of the host or network `part` of this lab.
    pub(super) fn namespace(&self, part: &str) -> String {
        format!("{self}-{part}")
    }

    /// Whether `namespace` belongs to this lab.
    pub(super) fn owns(&self, namespace: &str) -> bool {
        namespace.strip_prefix(&self.0).is_some_and(|rest| rest.starts_with('-'))
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The lab that a namespace or folder called `name` belongs to, if its process is dead.
pub(super) fn abandoned(name: &str) -> Option<LabName> {
    let (pid, rest) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let number = rest.split('-').next()?;
    let (pid, number): (u32, u32) = (pid.parse().ok()?, number.parse().ok()?);
    let dead = !Path::new("/proc").join(pid.to_string()).exists();
    dead.then(|| LabName(format!("{PREFIX}{pid}-{number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Above the kernel's largest process id, 2^22.
    const DEAD: &str = "4194999";

    #[test]
    fn a_name_owns_its_own_namespaces_only() {
        let name = LabName(format!("lvs-{DEAD}-1"));
        assert!(name.owns(&name.namespace("client")));
        assert!(!name.owns(&format!("lvs-{DEAD}-11-client")));
        assert!(!name.owns(&format!("lvs-{DEAD}-1")));
    }

    #[test]
    fn names_of_dead_processes_are_abandoned() {
        let lab = LabName(format!("lvs-{DEAD}-7"));
        assert_eq!(abandoned(&lab.namespace("client")), Some(lab.clone()));
        assert_eq!(abandoned(&lab.to_string()), Some(lab));
    }

    #[test]
    fn live_fixed_and_foreign_names_are_not_abandoned() {
        assert_eq!(abandoned(&LabName::unique().namespace("client")), None);
        assert_eq!(abandoned(&LabName::fixed("demo").unwrap().namespace("client")), None);
        assert_eq!(abandoned(&format!("other-{DEAD}-7-client")), None);
        assert_eq!(abandoned(&format!("lvs-{DEAD}-notes")), None);
    }

    #[test]
    fn a_fixed_name_is_letters_only() {
        for bad in ["", "4711", "demo-2", "Demo", "a/b"] {
            let error = LabName::fixed(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
}
