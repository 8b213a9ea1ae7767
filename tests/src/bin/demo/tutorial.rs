//! The steps of the tutorial, and what they print.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lvs_tests::lab::{Capture, Frame, Host, Lab, Nginx, Topology, arp_answers, http_get, wait_until};
use lvs_tests::product::{self, Director};

use crate::Interrupted;
use crate::picture::Picture;

const VIP: &str = "172.30.100.1";
const REQUESTS: usize = 30;
const COMMANDS: [&str; 3] = [
    "-A -t 172.30.100.1:80 -s wrr",
    "-a -t 172.30.100.1:80 -r 172.30.100.126 -g -w 2",
    "-a -t 172.30.100.1:80 -r 172.30.100.127 -g -w 1",
];
/// What each real server gets by its weight.
const SHARES: [(&str, usize); 2] = [("rs1", 20), ("rs2", 10)];

/// Everything that runs in the lab.
pub(crate) struct Tutorial<'a> {
    director: Director<'a>,
    web_servers: Vec<Nginx>,
}

impl<'a> Tutorial<'a> {
    pub(crate) fn build(name: Option<&str>) -> Result<Lab> {
        step("Four network namespaces on one bridge");
        let lab = match name {
            Some(name) => Lab::build_named(name, &Topology::tutorial())?,
            None => Lab::tutorial()?,
        };
        for host in lab.hosts() {
            println!("  {:<9} {:<16} {}", host.host_name(), host.ip()?, mac(host)?);
        }
        println!("  the VIP will be {VIP}");
        Ok(lab)
    }

    pub(crate) fn play(lab: &'a Lab, interrupted: &Interrupted) -> Result<Self> {
        let web_servers = prepare_real_servers(lab)?;
        interrupted.check()?;
        let director = start_director(lab)?;
        configure(&director)?;
        interrupted.check()?;
        let picture = Recording::start(lab)?;
        send_requests(lab, interrupted)?;
        show_listing(&director)?;
        interrupted.check()?;
        show_arp(lab)?;
        interrupted.check()?;
        picture.show()?;
        show_counters(lab)?;
        interrupted.check()?;
        Ok(Self { director, web_servers })
    }

    pub(crate) fn leave_running(self) {
        self.director.leave_running();
        self.web_servers.into_iter().for_each(Nginx::leave_running);
    }
}

fn step(title: &str) {
    println!("\n== {title}");
}

fn mac(host: &Host) -> Result<String> {
    Ok(host.mac()?.to_string().to_lowercase())
}

fn prepare_real_servers(lab: &Lab) -> Result<Vec<Nginx>> {
    step("The companion and nginx on both real servers");
    let mut servers = Vec::new();
    for name in ["rs1", "rs2"] {
        let host = lab.host(name)?;
        println!("{name}# lvs-xdp real-server up --vip {VIP}");
        print!("{}", indented(&product::prepare_real_server(lab, host, VIP)?));
        servers.push(Nginx::start(host, lab.folder(), name)?);
    }
    Ok(servers)
}

fn start_director(lab: &Lab) -> Result<Director<'_>> {
    step("The director");
    println!("director# lvs-xdp director --interface eth0 --manage-vips");
    let director = Director::start(lab, lab.host("director")?, &["--manage-vips"])?;
    for line in director.output()?.lines() {
        // Without the time of day.
        println!("  {}", line.split_once(' ').map_or(line, |(_, rest)| rest.trim_start()));
    }
    Ok(director)
}

fn configure(director: &Director<'_>) -> Result<()> {
    step("The tutorial's three commands");
    for words in COMMANDS {
        println!("director# ipvsadm {words}");
        director.ipvsadm(words)?;
    }
    director.wait_for_neighbours()
}

fn send_requests(lab: &Lab, interrupted: &Interrupted) -> Result<()> {
    step(&format!("{REQUESTS} requests from the client: who answers?"));
    println!("client$ for i in $(seq {REQUESTS}); do curl -s http://{VIP}/; done");
    let mut sums = BTreeMap::<String, usize>::new();
    print!(" ");
    for _ in 0..REQUESTS {
        interrupted.check()?;
        let answer = http_get(lab.host("client")?, &format!("http://{VIP}/"))?;
        print!(" {}", answer.trim());
        io::stdout().flush()?;
        *sums.entry(answer.trim().to_owned()).or_default() += 1;
    }
    println!("\n");
    for (name, share) in SHARES {
        let sum = sums.get(name).copied().unwrap_or(0);
        println!("  {name} answered {sum:>2}");
        ensure!(
            sum == share,
            "{name} should have answered {share} of {REQUESTS} requests, and answered {sum}"
        );
    }
    Ok(())
}

fn show_listing(director: &Director<'_>) -> Result<()> {
    step("What the director says");
    // The client's last FIN may still be on its way.
    wait_until("the end of all connections", Duration::from_secs(5), || {
        let listing = director.ipvsadm("-Ln").map_err(|error| error.to_string())?;
        let active = listing
            .lines()
            .filter_map(|line| line.split_whitespace().nth(4)?.parse::<u64>().ok())
            .sum::<u64>();
        if active == 0 { Ok(()) } else { Err(listing) }
    })?;
    for words in ["-Ln", "-Ln --stats"] {
        println!("director# ipvsadm {words}");
        print!("{}", indented(&director.ipvsadm(words)?));
    }
    Ok(())
}

fn show_arp(lab: &Lab) -> Result<()> {
    step("Who answers ARP for the VIP?");
    println!("client# arping -I eth0 {VIP}");
    let answers = arp_answers(lab.host("client")?, "eth0", VIP.parse()?)?;
    let director = lab.host("director")?.mac()?;
    for answer in &answers {
        let host = lab.hosts().iter().find(|host| host.mac().is_ok_and(|mac| mac == *answer));
        let name = host.map_or("a stranger", Host::host_name);
        println!("  {VIP} is at {}: the {name}", answer.to_string().to_lowercase());
    }
    ensure!(answers == [director], "only the director should answer ARP for the VIP");
    println!("  and nobody else: the real servers have the VIP, but stay silent");
    Ok(())
}

fn show_counters(lab: &Lab) -> Result<()> {
    step("Why each packet went where it went");
    println!("director# lvs-xdp counters");
    print!("{}", indented(&product::run(lab, lab.host("director")?, &["counters"])?));
    Ok(())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// One request's first frame wherever it can be seen, and its answer.
struct Recording {
    client: Capture,
    director: Capture,
    real_server: Capture,
}

impl Recording {
    /// What XDP receives and sends never reaches a packet socket on the director: its port of the bridge sees both.
    fn start(lab: &Lab) -> Result<Self> {
        let network = lab.network(lvs_tests::lab::LAN)?;
        Ok(Self {
            client: Capture::start(lab.host("client")?, "eth0")?,
            director: Capture::start(network.namespace(), "director")?,
            real_server: Capture::start(lab.host("rs1")?, "eth0")?,
        })
    }

    fn show(&self) -> Result<()> {
        step("One frame on its way");
        let arrived = find(&self.real_server, "a SYN at rs1", is_syn)?;
        let ports = arrived.ports();
        let same = |frame: &Frame| is_syn(frame) && frame.ports() == ports;
        let sent = find(&self.client, "the same SYN at the client", same)?;
        let passed = |frame: &Frame| same(frame) && frame.source_mac() == arrived.source_mac();
        let steered = find(&self.director, "the same SYN behind the director", passed)?;
        let reply_ports = ports.map(|(source, destination)| (destination, source));
        let reply = find(&self.client, "the answer", |frame| frame.ports() == reply_ports)?;
        print!("{}", Picture { sent: &sent, steered: &steered, arrived: &arrived, reply: &reply });
        Ok(())
    }
}

fn is_syn(frame: &Frame) -> bool {
    frame.tcp().is_some_and(|tcp| tcp.syn() && !tcp.ack())
}

fn find(capture: &Capture, what: &str, is_it: impl Fn(&Frame) -> bool) -> Result<Frame> {
    capture.wait_for(what, Duration::from_secs(5), is_it).with_context(|| format!("{what} was not seen"))
}

pub(crate) fn explain_kept(lab: &Lab) {
    step("Everything is left standing");
    for host in lab.hosts() {
        println!("  ip netns exec {} bash", host.name());
    }
    println!(
        "  export LVS_XDP_RUN_DIR={}   # in the director's, for ipvsadm",
        product::run_dir(lab).display()
    );
    if let Ok(binary) = product::binary() {
        println!("  {} ipvsadm -Ln", binary.display());
    }
    println!("  cargo xtask demo --down   # removes it");
}
