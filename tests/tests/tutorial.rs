//! The tutorial as it stands in the books: three commands, thirty requests.

use std::time::Duration;

use anyhow::Result;
use lvs_tests::lab::wait_until;
use lvs_tests::tutorial::{SERVICE, Tutorial, count, row};

const RS1: &str = "172.30.100.126:80";
const RS2: &str = "172.30.100.127:80";

/// The listing of the kernel's IPVS after the same commands, but for its size.
const LISTING: &str = "\
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  172.30.100.1:80 wrr
  -> 172.30.100.126:80            Route   2      0          20        
  -> 172.30.100.127:80            Route   1      0          10        
";

#[test]
fn thirty_requests_are_answered_twenty_to_ten_in_the_kernel_s_order() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let director = tutorial.director()?;

    let answers = tutorial.requests(30)?;
    assert_eq!(answers, ["rs2", "rs1", "rs1"].repeat(10));
    assert_eq!((count(&answers, "rs1"), count(&answers, "rs2")), (20, 10));
    assert_eq!(director.counter("new_connection")?, 30);

    wait_until("the connections to be closed", Duration::from_secs(5), || {
        let listing = director.ipvsadm("-Ln").map_err(|error| error.to_string())?;
        let (_, table) = listing.split_once('\n').unwrap_or_default();
        if table == LISTING { Ok(()) } else { Err(listing) }
    })?;

    let listing = director.ipvsadm("-Ln --stats")?;
    let [whole, first, second] = [SERVICE, RS1, RS2].map(|endpoint| row(&listing, endpoint));
    let (whole, first, second) = (whole?, first?, second?);
    assert_eq!((whole[0], first[0], second[0]), (30, 20, 10), "connections in\n{listing}");
    // A request takes at least SYN, ACK, request, FIN and ACK; the answers pass the director by.
    assert!(first[1] >= 5 * 20 && second[1] >= 5 * 10, "packets in\n{listing}");
    assert_eq!((whole[1], whole[3]), (first[1] + second[1], first[3] + second[3]), "sums in\n{listing}");
    assert_eq!((whole[2], whole[4]), (0, 0), "what went out in\n{listing}");
    assert_eq!(director.counter("known_connection")? + 30, whole[1]);
    Ok(())
}
