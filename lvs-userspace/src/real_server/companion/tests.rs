//! `up` and `down` against a host in memory that can fail, or take the process down, at any change.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::{fs, io};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::netns::NetnsIdentity;
use crate::real_server::found::{Conf, Found, HeldAddress};
use crate::real_server::record;
use crate::real_server::setting::Setting;
use crate::real_server::sysctl::SysctlError;

/// What happens at a change of the host.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Refusal,
    CrashBefore,
    CrashAfter,
}

/// A host in memory.
struct Model {
    found: Found,
    /// How many changes succeed before the trouble.
    trouble: Option<(usize, Trouble)>,
    changes: Cell<usize>,
}

impl Model {
    fn change(
        &mut self,
        setting: Setting,
        value: i32,
        apply: impl FnOnce(&mut Found),
    ) -> Result<(), HostError> {
        let number = self.changes.get();
        self.changes.set(number + 1);
        match self.trouble.filter(|(at, _)| *at == number).map(|(_, trouble)| trouble) {
            None => apply(&mut self.found),
            Some(Trouble::Refusal) => return Err(refusal(setting, value)),
            Some(Trouble::CrashBefore) => resume_unwind(Box::new("crash")),
            Some(Trouble::CrashAfter) => {
                apply(&mut self.found);
                resume_unwind(Box::new("crash"));
            }
        }
        Ok(())
    }
}

fn refusal(setting: Setting, value: i32) -> HostError {
    SysctlError::Write { setting, value, source: io::ErrorKind::ReadOnlyFilesystem.into() }.into()
}

fn value_of(found: &mut Found, setting: Setting) -> &mut i32 {
    match setting {
        Setting::AllArpIgnore => &mut found.all.arp_ignore,
        Setting::AllArpAnnounce => &mut found.all.arp_announce,
        Setting::LoArpIgnore => &mut found.lo.arp_ignore,
        Setting::LoArpAnnounce => &mut found.lo.arp_announce,
    }
}

fn on_loopback(vip: Vip, prefix: u8) -> HeldAddress {
    HeldAddress { interface: "lo".to_owned(), address: vip.address(), prefix }
}

impl Host for Model {
    fn look(&self) -> Result<Found, HostError> {
        Ok(self.found.clone())
    }

    fn set(&mut self, setting: Setting, value: i32) -> Result<(), HostError> {
        self.change(setting, value, |found| *value_of(found, setting) = value)
    }

    fn add_address(&mut self, vip: Vip) -> Result<(), HostError> {
        assert!(is_silent(&self.found) || vip.address().is_ipv6(), "{vip} comes before the settings");
        self.change(Setting::AllArpIgnore, 0, |found| found.addresses.push(on_loopback(vip, vip.prefix())))
    }

    fn remove_address(&mut self, vip: Vip) -> Result<(), HostError> {
        assert!(is_silent(&self.found) || vip.address().is_ipv6(), "the settings go before {vip}");
        let held = on_loopback(vip, vip.prefix());
        self.change(Setting::AllArpIgnore, 0, |found| found.addresses.retain(|address| *address != held))
    }
}

fn is_silent(found: &Found) -> bool {
    Setting::ALL.into_iter().all(|setting| setting.parameter().suits(found.setting(setting)))
}

/// One network namespace: the host and the folder of its record.
struct Namespace {
    companion: Companion<Model>,
    folder: TempDir,
}

impl Namespace {
    fn new(found: &Found) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let namespace = NetnsIdentity { cookie: 7, boot_id: "this boot".to_owned() };
        let journal = record::journal(folder.path(), namespace);
        let host = Model { found: found.clone(), trouble: None, changes: Cell::new(0) };
        Self { companion: Companion::new(host, journal), folder }
    }

    fn trouble(&mut self, at: usize, trouble: Trouble) {
        self.companion.host.changes.set(0);
        self.companion.host.trouble = Some((at, trouble));
    }

    fn no_trouble(&mut self) {
        self.companion.host.trouble = None;
    }

    fn found(&self) -> &Found {
        &self.companion.host.found
    }

    fn record_text(&self) -> String {
        fs::read_to_string(self.companion.journal.path()).unwrap()
    }
}

fn vips() -> [Vip; 3] {
    ["172.30.100.1", "172.30.100.2", "2001:db8::1"].map(|text| text.parse().unwrap())
}

fn untouched() -> Found {
    Found { all: Conf::default(), lo: Conf::default(), arp_interfaces: Vec::new(), addresses: Vec::new() }
}

/// Any host: any settings, any of the VIPs already on lo, as /32 or as a subnet.
fn any_host() -> impl Strategy<Value = Found> {
    let conf = || {
        (0..9, 0..4).prop_map(|(arp_ignore, arp_announce)| Conf {
            arp_ignore,
            arp_announce,
            ..Conf::default()
        })
    };
    let prefix = || prop_oneof![Just(None), Just(Some(0)), Just(Some(8))];
    (conf(), conf(), [prefix(), prefix(), prefix()]).prop_map(|(all, lo, prefixes)| {
        let held = vips().into_iter().zip(prefixes);
        let addresses = held.filter_map(|(vip, less)| Some(on_loopback(vip, vip.prefix() - less?))).collect();
        Found { all, lo, addresses, ..untouched() }
    })
}

fn any_vips() -> impl Strategy<Value = Vec<Vip>> {
    prop::sample::subsequence(vips().to_vec(), 1..=3)
}

fn any_crash() -> impl Strategy<Value = Trouble> {
    prop_oneof![Just(Trouble::CrashBefore), Just(Trouble::CrashAfter)]
}

proptest! {
    #[test]
    fn down_restores_whatever_up_found(host in any_host(), vips in any_vips()) {
        let mut namespace = Namespace::new(&host);
        namespace.companion.up(&vips).unwrap();
        if vips.iter().any(|vip| vip.address().is_ipv4()) {
            prop_assert!(is_silent(namespace.found()));
        }
        namespace.companion.down().unwrap();
        prop_assert_eq!(namespace.found(), &host);
        prop_assert_eq!(namespace.companion.recorded().unwrap(), Loaded::Absent);
    }

    #[test]
    fn up_twice_is_up_once(host in any_host(), vips in any_vips()) {
        let mut namespace = Namespace::new(&host);
        namespace.companion.up(&vips).unwrap();
        let (after, record) = (namespace.found().clone(), namespace.record_text());
        prop_assert!(namespace.companion.up(&vips).unwrap().steps.is_empty());
        prop_assert_eq!(namespace.found(), &after);
        prop_assert_eq!(namespace.record_text(), record);
    }

    #[test]
    fn down_restores_what_several_ups_found(host in any_host(), first in any_vips(), second in any_vips()) {
        let mut namespace = Namespace::new(&host);
        namespace.companion.up(&first).unwrap();
        namespace.companion.up(&second).unwrap();
        namespace.companion.down().unwrap();
        prop_assert_eq!(namespace.found(), &host);
    }

    #[test]
    fn a_crash_of_up_at_any_change_is_undone(host in any_host(), vips in any_vips(), at in 0_usize..7, crash in any_crash(), retry: bool) {
        let mut namespace = Namespace::new(&host);
        namespace.trouble(at, crash);
        let _ = catch_unwind(AssertUnwindSafe(|| namespace.companion.up(&vips)));
        namespace.no_trouble();
        if retry {
            namespace.companion.up(&vips).unwrap();
        }
        namespace.companion.down().unwrap();
        prop_assert_eq!(namespace.found(), &host);
    }

    #[test]
    fn a_crash_of_down_at_any_change_is_made_good(host in any_host(), vips in any_vips(), at in 0_usize..7, crash in any_crash()) {
        let mut namespace = Namespace::new(&host);
        namespace.companion.up(&vips).unwrap();
        namespace.trouble(at, crash);
        let _ = catch_unwind(AssertUnwindSafe(|| namespace.companion.down()));
        namespace.no_trouble();
        namespace.companion.down().unwrap();
        prop_assert_eq!(namespace.found(), &host);
    }

    #[test]
    fn an_up_that_is_refused_changes_nothing(host in any_host(), first in any_vips(), second in any_vips(), at in 0_usize..7) {
        let mut namespace = Namespace::new(&host);
        namespace.companion.up(&first).unwrap();
        let (before, record) = (namespace.found().clone(), namespace.record_text());
        namespace.trouble(at, Trouble::Refusal);
        if namespace.companion.up(&second).is_err() {
            prop_assert_eq!(namespace.found(), &before);
            prop_assert_eq!(namespace.record_text(), record);
        }
    }
}

#[test]
fn a_first_up_that_is_refused_leaves_no_record() {
    let mut namespace = Namespace::new(&untouched());
    namespace.trouble(4, Trouble::Refusal);
    namespace.companion.up(&vips()).unwrap_err();
    assert_eq!(namespace.found(), &untouched());
    assert_eq!(namespace.companion.recorded().unwrap(), Loaded::Absent);
}

#[test]
fn a_down_that_is_refused_keeps_the_settings_and_can_be_repeated() {
    let mut namespace = Namespace::new(&untouched());
    namespace.companion.up(&vips()).unwrap();
    namespace.trouble(1, Trouble::Refusal);
    namespace.companion.down().unwrap_err();
    assert!(is_silent(namespace.found()));
    namespace.no_trouble();
    namespace.companion.down().unwrap();
    assert_eq!(namespace.found(), &untouched());
}

#[test]
fn a_setting_that_someone_changed_after_up_is_left_and_reported() {
    let mut namespace = Namespace::new(&untouched());
    namespace.companion.up(&vips()).unwrap();
    namespace.companion.host.found.all.arp_ignore = 2;
    let down = namespace.companion.down().unwrap();
    assert_eq!(namespace.found().all.arp_ignore, 2);
    assert_eq!(namespace.found().all.arp_announce, 0);
    let left: Vec<_> = down.left.iter().map(ToString::to_string).collect();
    assert_eq!(
        left,
        ["net.ipv4.conf.all.arp_ignore is 2, neither what `up` set (1) nor what it found (0): left as it is"]
    );
}

#[test]
fn a_vip_that_was_there_stays_and_is_reported() {
    let [vip, ..] = vips();
    let mut namespace = Namespace::new(&Found { addresses: vec![on_loopback(vip, 32)], ..untouched() });
    namespace.companion.up(&[vip]).unwrap();
    assert_eq!(namespace.companion.down().unwrap().left, [Left::Address { vip }]);
}

#[test]
fn an_address_that_someone_put_in_place_of_ours_is_not_removed() {
    let [vip, ..] = vips();
    let mut namespace = Namespace::new(&untouched());
    namespace.companion.up(&[vip]).unwrap();
    let theirs = on_loopback(vip, 24);
    namespace.companion.host.found.addresses = vec![theirs.clone()];
    let down = namespace.companion.down().unwrap();
    assert!(!down.undos.contains(&Undo::RemoveAddress { vip }), "{:?}", down.undos);
    assert_eq!(namespace.found().addresses, [theirs]);
}

#[test]
fn a_stricter_setting_is_not_lowered() {
    let all = Conf { arp_ignore: 8, arp_announce: 2, ..Conf::default() };
    let mut namespace = Namespace::new(&Found { all, lo: all, ..untouched() });
    let [vip, ..] = vips();
    assert_eq!(namespace.companion.up(&[vip]).unwrap().steps, [Step::AddAddress { vip }]);
}

#[test]
fn an_ipv6_vip_needs_no_arp_setting() {
    let [.., vip] = vips();
    let mut namespace = Namespace::new(&untouched());
    assert_eq!(namespace.companion.up(&[vip]).unwrap().steps, [Step::AddAddress { vip }]);
}

#[test]
fn a_setting_that_up_corrects_late_is_still_restored_after_the_addresses() {
    let [first, second, _] = vips();
    let all = Conf { arp_ignore: 1, ..Conf::default() };
    let mut namespace = Namespace::new(&Found { all, ..untouched() });
    namespace.companion.up(&[first]).unwrap();
    namespace.companion.host.found.all.arp_ignore = 0;
    namespace.companion.up(&[second]).unwrap();
    let down = namespace.companion.down().unwrap();
    let settings_last = down.undos.is_sorted_by_key(|undo| matches!(undo, Undo::Restore { .. }));
    assert!(settings_last, "{:?}", down.undos);
}

#[test]
fn an_unusable_record_is_set_aside_and_not_used() {
    let mut namespace = Namespace::new(&untouched());
    fs::write(namespace.companion.journal.path(), "{\"journal\": \"real-server-1\", ").unwrap();
    let up = namespace.companion.up(&vips()).unwrap();
    let Some(Discarded::SetAside { aside, .. }) = up.discarded else { panic!("{:?}", up.discarded) };
    assert!(aside.exists());
    namespace.companion.down().unwrap();
    assert_eq!(namespace.found(), &untouched());
}

#[test]
fn a_record_of_another_boot_is_dropped_and_not_undone() {
    let mut namespace = Namespace::new(&untouched());
    namespace.companion.up(&vips()).unwrap();
    let after_up = namespace.found().clone();
    fs::write(namespace.companion.journal.path(), namespace.record_text().replace("this boot", "another"))
        .unwrap();
    let down = namespace.companion.down().unwrap();
    assert!(matches!(down.discarded, Some(Discarded::OtherBoot { .. })));
    assert_eq!(namespace.found(), &after_up);
    assert_eq!(fs::read_dir(namespace.folder.path()).unwrap().count(), 0);
}
