use super::*;

fn namespace(cookie: u64, boot_id: &str) -> NetnsIdentity {
    NetnsIdentity { cookie, boot_id: boot_id.to_owned() }
}

/// A journal in a folder of its own.
fn journal() -> (tempfile::TempDir, Journal<Vec<String>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.json");
    (folder, Journal::new(path, "words-1", namespace(7, "this boot")))
}

fn words() -> Vec<String> {
    vec!["one".into(), "two".into()]
}

fn reason(journal: &Journal<Vec<String>>) -> String {
    match journal.load().unwrap() {
        Loaded::Unusable { reason } => reason,
        other => panic!("not unusable but {other:?}"),
    }
}

fn files(folder: &tempfile::TempDir) -> usize {
    fs::read_dir(folder.path()).unwrap().count()
}

#[test]
fn what_was_stored_is_loaded_until_it_is_removed_and_nothing_else_is_left() {
    let (folder, journal) = journal();
    assert_eq!(journal.load().unwrap(), Loaded::Absent);
    journal.store(&vec!["former".into()]).unwrap();
    journal.store(&words()).unwrap();
    assert_eq!(journal.load().unwrap(), Loaded::Found(words()));
    assert_eq!(journal.recover().unwrap(), (Some(words()), None));
    assert_eq!(files(&folder), 1);
    journal.remove().unwrap();
    journal.remove().unwrap();
    assert_eq!(journal.recover().unwrap(), (None, None));
    assert_eq!(files(&folder), 0);
}

#[test]
fn a_crash_while_storing_leaves_the_content_before() {
    let (_folder, journal) = journal();
    journal.store(&words()).unwrap();
    fs::write(journal.beside(".new"), "{\"journal\":").unwrap();
    assert_eq!(journal.load().unwrap(), Loaded::Found(words()));
    journal.store(&Vec::new()).unwrap();
    assert_eq!(journal.load().unwrap(), Loaded::Found(Vec::new()));
}

#[test]
fn a_journal_torn_at_any_byte_is_set_aside_and_each_one_is_kept() {
    let (folder, journal) = journal();
    journal.store(&words()).unwrap();
    let whole = fs::read(journal.path()).unwrap();
    for length in 0..whole.len() {
        let torn = whole.get(..length).unwrap();
        fs::write(journal.path(), torn).unwrap();
        assert!(reason(&journal).starts_with("it is torn"), "cut after {length} bytes");
        let Some(Discarded::SetAside { aside, .. }) = journal.recover().unwrap().1 else {
            panic!("cut after {length} bytes")
        };
        assert_eq!(fs::read(aside).unwrap(), torn);
        assert_eq!(journal.load().unwrap(), Loaded::Absent);
    }
    assert_eq!(files(&folder), whole.len());
}

#[test]
fn a_journal_of_another_kind_is_unusable() {
    let (_folder, journal) = journal();
    let numbers = Journal::<u32>::new(journal.path.clone(), "numbers-1", journal.namespace.clone());
    numbers.store(&7).unwrap();
    assert_eq!(reason(&journal), r#"it is a journal of kind "numbers-1", not "words-1""#);
}

#[test]
fn a_journal_from_before_the_last_boot_is_removed_and_told() {
    let (folder, journal) = journal();
    Journal { namespace: namespace(7, "the boot before"), ..copy(&journal) }.store(&words()).unwrap();
    assert_eq!(journal.load().unwrap(), Loaded::OtherBoot);
    let path = journal.path.clone();
    assert_eq!(journal.recover().unwrap(), (None, Some(Discarded::OtherBoot { path })));
    assert_eq!(files(&folder), 0);
}

#[test]
fn a_journal_of_another_network_namespace_is_unusable() {
    let (_folder, journal) = journal();
    Journal { namespace: namespace(8, "this boot"), ..copy(&journal) }.store(&words()).unwrap();
    assert_eq!(reason(&journal), "it was written in network namespace 8, not 7");
}

fn copy(journal: &Journal<Vec<String>>) -> Journal<Vec<String>> {
    Journal::new(journal.path.clone(), journal.kind, journal.namespace.clone())
}

#[test]
fn a_journal_with_other_content_or_more_than_that_is_unusable() {
    let (_folder, journal) = journal();
    for (key, value, complaint) in [("content", 5, "its content"), ("more", 1, "it is torn or not a journal")]
    {
        journal.store(&words()).unwrap();
        let mut text: serde_json::Value = serde_json::from_slice(&fs::read(journal.path()).unwrap()).unwrap();
        text.as_object_mut().unwrap().insert(key.into(), value.into());
        fs::write(journal.path(), text.to_string()).unwrap();
        assert!(reason(&journal).starts_with(complaint), "{key}: {}", reason(&journal));
    }
}

#[test]
fn a_locked_folder_is_locked_for_others_and_holds_no_file_for_that() {
    let (folder, journal) = journal();
    let other = File::open(folder.path()).unwrap();
    let lock = journal.lock().unwrap();
    assert!(matches!(other.try_lock(), Err(fs::TryLockError::WouldBlock)));
    drop(lock);
    other.try_lock().unwrap();
    assert_eq!(files(&folder), 0);
}

#[test]
fn a_folder_that_is_missing_or_cannot_be_made_is_named() {
    let (folder, journal) = journal();
    fs::write(folder.path().join("file"), "").unwrap();
    let beyond = Journal { path: folder.path().join("file/journal.json"), ..copy(&journal) };
    let absent = Journal { path: folder.path().join("absent/journal.json"), ..copy(&journal) };
    for (error, operation, path) in [
        (beyond.lock().unwrap_err(), "create the folder of", "file/journal.json"),
        (absent.store(&words()).unwrap_err(), "write", "absent/journal.json"),
    ] {
        let error = error.to_string();
        assert!(error.starts_with(&format!("cannot {operation} journal")) && error.contains(path), "{error}");
    }
}
