//! The packet fixtures against the director's program, as it was built.

use anyhow::Result;
use lvs_common::verdict::Reason;
use lvs_tests::fixture::{self, Report};

/// So many at least: a folder that is not found, or half read, must not pass for success.
const FEWEST: usize = 60;

#[test]
fn every_fixture_holds() -> Result<()> {
    let Report { ran, failures } = fixture::run_all(&fixture::all()?)?;
    println!("{ran} fixtures ran, {} failed", failures.len());
    let told: Vec<_> = failures.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{} of {ran} fixtures failed\n\n{}", told.len(), told.join("\n\n"));
    assert!(ran >= FEWEST, "only {ran} fixtures ran, of at least {FEWEST}");
    Ok(())
}

#[test]
fn every_reason_has_a_fixture() -> Result<()> {
    let fixtures = fixture::all()?;
    let is_shown = |reason: &Reason| fixtures.iter().any(|(_, fixture)| fixture.expect.reason == *reason);
    let missing: Vec<_> =
        Reason::ALL.iter().filter(|reason| !is_shown(reason)).map(|reason| reason.name()).collect();
    assert!(missing.is_empty(), "no fixture shows {}", missing.join(", "));
    Ok(())
}
