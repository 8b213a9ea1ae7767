//! The classic LVS-DR tutorial in the lab: a client, a director, and web servers that hold the VIP.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;

use anyhow::{Context, Result};

use crate::lab::{Host, HttpConnection, Lab, Nginx, Topology, http_get};
use crate::product::{Director, prepare_real_server};

/// The tutorial's VIP.
pub const VIP: Ipv4Addr = Ipv4Addr::new(172, 30, 100, 1);

/// The tutorial's service, as `ipvsadm` names it.
pub const SERVICE: &str = "172.30.100.1:80";

/// The three commands that the tutorial types.
pub const COMMANDS: [&str; 3] = [
    "-A -t 172.30.100.1:80 -s wrr",
    "-a -t 172.30.100.1:80 -r 172.30.100.126 -g -w 2",
    "-a -t 172.30.100.1:80 -r 172.30.100.127 -g -w 1",
];

/// A lab whose real servers (the hosts `rs1`, `rs2` and so on) serve the VIP: nginx runs on each, prepared by
/// `lvs-xdp real-server up`.
#[derive(Debug)]
pub struct Tutorial {
    _web: Vec<Nginx>,
    lab: Lab,
}

impl Tutorial {
    /// The tutorial's own network, with two real servers.
    ///
    /// # Errors
    /// When the lab can't be built, or nginx or the companion does not start.
    pub fn new() -> Result<Self> {
        Self::build(&Topology::tutorial())
    }

    /// Another network.
    ///
    /// # Errors
    /// As [`Tutorial::new`].
    pub fn build(plan: &Topology) -> Result<Self> {
        let lab = Lab::build(plan)?;
        let mut web = Vec::new();
        for host in lab.hosts().iter().filter(|host| host.host_name().starts_with("rs")) {
            web.push(Nginx::start(host, lab.folder(), host.host_name())?);
            prepare_real_server(&lab, host, &VIP.to_string())?;
        }
        Ok(Self { _web: web, lab })
    }

    /// The client.
    ///
    /// # Errors
    /// When the plan has none.
    pub fn client(&self) -> Result<&Host> {
        self.lab.host("client")
    }

    /// A director with the tutorial's service, ready for requests. It manages the VIP.
    ///
    /// # Errors
    /// When it does not start, refuses a command or does not find a real server.
    pub fn director(&self) -> Result<Director<'_>> {
        let director = self.idle_director(&["--manage-vips"])?;
        self.set_up(&director)?;
        Ok(director)
    }

    /// A director without services.
    ///
    /// # Errors
    /// When it does not start.
    pub fn idle_director(&self, words: &[&str]) -> Result<Director<'_>> {
        Director::start(&self.lab, self.lab.host("director")?, words)
    }

    /// Types the tutorial's commands, and waits until the real servers are found.
    ///
    /// # Errors
    /// When a command is refused or a real server is not found.
    pub fn set_up(&self, director: &Director<'_>) -> Result<()> {
        COMMANDS.iter().try_for_each(|command| director.ipvsadm(command).map(drop))?;
        director.wait_for_neighbours()
    }

    /// Who answers each of `count` requests of the client, one after the other and each over a new connection.
    ///
    /// # Errors
    /// When one is not answered.
    pub fn requests(&self, count: usize) -> Result<Vec<String>> {
        let url = format!("http://{SERVICE}/");
        let request = || Ok(http_get(self.client()?, &url)?.trim_end().to_owned());
        (0..count).map(|_| request()).collect()
    }

    /// Opens a connection to the service that stays open.
    ///
    /// # Errors
    /// When no one accepts it.
    pub fn connect(&self) -> Result<HttpConnection> {
        HttpConnection::open(self.client()?, SocketAddr::from((VIP, 80)))
    }
}

impl Deref for Tutorial {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

/// The numbers in a listing's row for `endpoint`, from left to right.
///
/// # Errors
/// When it has no such row.
pub fn row(listing: &str, endpoint: &str) -> Result<Vec<u64>> {
    let mut rows = listing.lines().map(|line| line.split_whitespace());
    let row = rows.find(|row| row.clone().any(|word| word == endpoint));
    let row = row.with_context(|| format!("no row for {endpoint} in\n{listing}"))?;
    Ok(row.filter_map(|word| word.parse().ok()).collect())
}

/// How many of `answers` are from `server`.
#[must_use]
pub fn count(answers: &[String], server: &str) -> usize {
    answers.iter().filter(|answer| *answer == server).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  172.30.100.1:80 wrr
  -> 172.30.100.126:80            Route   2      0          20        
";

    #[test]
    fn a_row_is_found_by_its_whole_name() {
        assert_eq!(row(LISTING, "172.30.100.126:80").unwrap(), [2, 0, 20]);
        assert_eq!(row(LISTING, SERVICE).unwrap(), [0; 0]);
        let error = row(LISTING, "172.30.100.12:80").unwrap_err().to_string();
        assert!(error.starts_with("no row for 172.30.100.12:80 in\nIP Virtual Server"), "{error}");
    }
}
