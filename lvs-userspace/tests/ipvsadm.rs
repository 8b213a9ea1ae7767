//! What ipvsadm answered, command by command, against what this command line answers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use lvs_userspace::cli::ipvsadm::{
    Command, Failure, HELP, Names, Numbers, SaveRequest, VERSION, list, parse, parse_rules, save,
};
use lvs_userspace::control::change::Change;
use lvs_userspace::control::model::{Model, Server, Service};
use lvs_userspace::control::service::{Protocol, Scheduler, ServerOptions, ServiceAddress, ServiceOptions};
use lvs_userspace::control::snapshot::{NeighbourState, ServerState, ServiceState, Snapshot, Traffic};
use macaddr::MacAddr6;
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

/// What a command wrote and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    output: String,
    exit_status: u8,
}

impl Answer {
    fn ok(output: impl Into<String>) -> Self {
        Self { output: output.into(), exit_status: 0 }
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self { output: format!("{failure}\n"), exit_status: failure.exit_status() }
    }
}

/// `$ command`, its output, `[rc=status]`.
fn recorded(text: &str) -> Vec<(&str, Answer)> {
    let blocks = text.split("$ ipvsadm").skip(1);
    blocks
        .map(|block| {
            let (command, rest) = block.split_once('\n').expect("a command has an answer");
            let (output, status) = rest.trim_end().rsplit_once("[rc=").expect("an answer has a status");
            let exit_status = status.trim_end_matches(']').parse().expect("a status is a number");
            (command, Answer { output: output.to_owned(), exit_status })
        })
        .collect()
}

/// Splits at blanks outside single quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for letter in command.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// The names of the recordings.
struct RecordedNames;

impl Names for RecordedNames {
    fn address_of(&self, host: &str) -> Option<Ipv4Addr> {
        let hosts = [("www.example.test", 9), ("rs1.example.test", 126)];
        hosts.iter().find(|(name, _)| *name == host).map(|(_, last)| Ipv4Addr::new(172, 30, 100, *last))
    }

    fn host_of(&self, address: IpAddr) -> Option<String> {
        let long = "a-real-server-with-quite-a-long-name.example.test";
        (address == IpAddr::from([172, 30, 100, 8])).then(|| long.to_owned())
    }

    fn port_of(&self, service: &str, transport: &str) -> Option<u16> {
        match (service, transport) {
            ("http", "tcp") => Some(80),
            ("domain", _) => Some(53),
            _ => None,
        }
    }

    fn service_of(&self, port: u16, transport: &str) -> Option<String> {
        (port == 80 && transport == "tcp").then(|| "http".to_owned())
    }
}

fn resolved() -> NeighbourState {
    NeighbourState::Resolved { mac: MacAddr6::new(2, 0, 0, 0, 0, 1), interface: "eth0".to_owned() }
}

fn snapshot(model: &Model) -> Snapshot {
    let server = |server: &Server| ServerState {
        server: server.address,
        options: server.options.clone(),
        active_connections: 0,
        inactive_connections: 0,
        traffic: Traffic::default(),
        neighbour: resolved(),
    };
    let service = |service: &Service| ServiceState {
        service: service.address,
        options: service.options.clone(),
        traffic: Traffic::default(),
        servers: service.servers.iter().map(server).collect(),
    };
    let services = model.services().map(service).collect();
    Snapshot { connection_capacity: 4096, services, reasons: Vec::new() }
}

fn execute(command: &str, model: &mut Model) -> Result<Answer, Failure> {
    let output = match parse(&words(command), &RecordedNames)? {
        Command::Change(change) => model.apply(&change).map(|()| String::new())?,
        Command::List(request) => list(&snapshot(model), &request, &RecordedNames)?.stdout,
        Command::Save(request) => save(&snapshot(model), request, &RecordedNames),
        Command::Restore => String::new(),
        Command::Help => HELP.to_owned(),
        Command::Version => VERSION.to_owned(),
    };
    Ok(Answer::ok(output))
}

fn answer(command: &str, model: &mut Model) -> Answer {
    execute(command, model).unwrap_or_else(Answer::from)
}

#[test]
fn a_session_of_commands_is_answered_as_by_ipvsadm_and_its_kernel() {
    let recorded = recorded(include_str!("data/ipvsadm/commands.txt"));
    assert!(recorded.len() > 55, "{}", recorded.len());
    let mut model = Model::default();
    for (command, expected) in recorded {
        assert_eq!(answer(command, &mut model), expected, "ipvsadm{command}");
    }
}

/// How the recording writes down a request to the kernel.
fn request(change: &Change) -> String {
    let service = |service: &ServiceAddress| service.to_string().replace("TCP", "tcp").replace("UDP", "udp");
    let said = match change {
        Change::AddService { service: s, options } => {
            format!("add-service {} {}", service(s), options.scheduler)
        }
        Change::EditService { service: s, options } => {
            format!("edit-service {} {}", service(s), options.scheduler)
        }
        Change::DeleteService { service: s } => format!("delete-service {}", service(s)),
        Change::Clear => "flush".to_owned(),
        Change::AddServer { service: s, server, options } => {
            format!("add-server {} {server} weight {}", service(s), options.weight)
        }
        Change::EditServer { service: s, server, options } => {
            format!("edit-server {} {server} weight {}", service(s), options.weight)
        }
        Change::DeleteServer { service: s, server } => format!("delete-server {} {server}", service(s)),
        Change::Zero { service: Some(s) } => format!("zero {}", service(s)),
        Change::Zero { service: None } => "zero all".to_owned(),
    };
    format!("request: {said}\n")
}

#[test]
fn a_command_line_becomes_the_request_or_the_message_of_ipvsadm() {
    let recorded = recorded(include_str!("data/ipvsadm/grammar.txt"));
    assert!(recorded.len() > 150, "{}", recorded.len());
    for (command, expected) in recorded {
        let answer = match parse(&words(command), &RecordedNames) {
            Ok(Command::Change(change)) => Answer::ok(request(&change)),
            Ok(other) => Answer::ok(format!("{other:?}")),
            Err(failure) => failure.into(),
        };
        assert_eq!(answer, expected, "ipvsadm{command}");
    }
}

fn tutorial_server(last: u8, weight: u32, connections: u64) -> ServerState {
    ServerState {
        server: SocketAddr::from(([172, 30, 100, last], 80)),
        options: ServerOptions { weight },
        active_connections: 0,
        inactive_connections: connections,
        traffic: Traffic { connections, packets: connections * 6, bytes: connections * 396 },
        neighbour: resolved(),
    }
}

fn tutorial() -> Snapshot {
    let address = SocketAddr::from(([172, 30, 100, 1], 80));
    let service = ServiceState {
        service: ServiceAddress { protocol: Protocol::Tcp, address },
        options: ServiceOptions { scheduler: Scheduler::Wrr },
        traffic: Traffic { connections: 30, packets: 180, bytes: 11880 },
        servers: vec![tutorial_server(126, 2, 20), tutorial_server(127, 1, 10)],
    };
    Snapshot { connection_capacity: 4096, services: vec![service], reasons: Vec::new() }
}

fn listing_of(snapshot: &Snapshot, command: &str) -> Result<String, Failure> {
    match parse(&words(command), &RecordedNames)? {
        Command::List(request) => Ok(list(snapshot, &request, &RecordedNames)?.stdout),
        Command::Save(request) => Ok(save(snapshot, request, &RecordedNames)),
        other => panic!("{command} asks for {other:?}"),
    }
}

#[test]
fn the_tutorials_listings_are_ipvsadms_byte_for_byte() {
    let recorded = recorded(include_str!("data/ipvsadm/tutorial.txt"));
    assert_eq!(recorded.len(), 6);
    for (command, expected) in recorded {
        assert_eq!(listing_of(&tutorial(), command).map(Answer::ok), Ok(expected), "ipvsadm{command}");
    }
}

#[test]
fn large_numbers_are_shortened_unless_exact() {
    let mut snapshot = tutorial();
    snapshot.services[0].servers.clear();
    snapshot.services[0].traffic =
        Traffic { connections: 99_999_999, packets: 100_000_000, bytes: 123_456_789_012_345 };
    let row = |command| listing_of(&snapshot, command).unwrap().lines().last().map(str::to_owned);
    assert_eq!(
        row("-Ln --stats").as_deref(),
        Some("TCP  172.30.100.1:80              99999999  100000K        0     123T        0")
    );
    assert_eq!(
        row("-Ln --stats --exact").as_deref(),
        Some("TCP  172.30.100.1:80              99999999 100000000        0 123456789012345        0")
    );
}

#[test]
fn names_that_are_too_long_are_cut_in_the_table_and_whole_in_the_rules() {
    let mut snapshot = tutorial();
    snapshot.services[0].servers = vec![tutorial_server(8, 1, 0)];
    let listed = listing_of(&snapshot, "-L").unwrap();
    assert!(
        listed.contains("\n  -> a-real-server-with-quite-a-l Route   1      0          0         \n"),
        "{listed}"
    );
    let saved = listing_of(&snapshot, "-S").unwrap();
    assert!(saved.contains("-r a-real-server-with-quite-a-long-name.example.test:http -g"), "{saved}");
}

#[test]
fn low_addresses_come_first_over_the_whole_range() {
    let mut model = Model::default();
    for address in ["224.0.0.1:80", "1.2.3.4:80", "1.2.3.4:9"] {
        execute(&format!("-A -t {address} -s rr"), &mut model).unwrap();
    }
    execute("-A -u 9.9.9.9:53 -s rr", &mut model).unwrap();
    let sorted =
        "-A -t 1.2.3.4:9 -s rr\n-A -t 1.2.3.4:80 -s rr\n-A -t 224.0.0.1:80 -s rr\n-A -u 9.9.9.9:53 -s rr\n";
    assert_eq!(answer("-Sn", &mut model), Answer::ok(sorted));
}

#[test]
fn a_server_that_can_not_be_reached_is_told_once_and_beside_the_table() {
    let mut snapshot = tutorial();
    let table = listing_of(&snapshot, "-Ln").unwrap();
    snapshot.services[0].servers[0].neighbour =
        NeighbourState::Unresolved { reason: "no neighbour entry answers".to_owned() };
    snapshot.services.push(snapshot.services[0].clone());
    snapshot.services[1].service.protocol = Protocol::Udp;
    let Ok(Command::List(request)) = parse(&["-Ln", "-t", "172.30.100.1:80"], &Numbers) else {
        panic!("-Ln lists");
    };
    let one = list(&snapshot, &request, &Numbers).unwrap();
    assert_eq!(one.stdout, table.split_once('\n').unwrap().1);
    let all = list(&snapshot, &Default::default(), &Numbers).unwrap();
    let told = "172.30.100.126:80 gets no new connections: no neighbour entry answers\n";
    assert_eq!((one.stderr.as_str(), all.stderr.as_str()), (told, told));
}

#[test]
fn what_is_not_available_is_refused_in_a_sentence_that_names_it() {
    let service = "is not available: add-service takes -t, -u, -s\n";
    let server = "is not available: add-server takes -t, -u, -r, -g, -w\n";
    let listing = "is not available: list takes -t, -u, -n, --stats, --nosort, -X\n";
    let command =
        "is not available: the commands are -A, -E, -D, -C, -L, -l, -Z, -a, -e, -d, -h, -v, -R, -S\n";
    for (line, refusal) in [
        ("-A -t 1.2.3.4:80 -s rr -p 60", format!("-p (--persistent) {service}")),
        ("-A -t 1.2.3.4:80 -p -s rr", format!("-p (--persistent) {service}")),
        ("-A -t 1.2.3.4:80 -s rr -M 255.255.255.0", format!("-M (--netmask) {service}")),
        ("-A -u 1.2.3.4:80 -s rr -o", format!("-o (--ops) {service}")),
        ("-A -t 1.2.3.4:80 -s rr --pe sip", format!("--pe {service}")),
        ("-A -t 1.2.3.4:80 -s sh -b sh-port", format!("-b (--sched-flags) {service}")),
        ("-A -f 7 -s rr", format!("-f (--fwmark-service) {service}")),
        ("-A -f 7 -6 -s rr", format!("-f (--fwmark-service) {service}")),
        ("-A --sctp-service 1.2.3.4:80 -s rr", format!("--sctp-service {service}")),
        ("-a -t 1.2.3.4:80 -r 1.2.3.5 -m", format!("-m (--masquerading) {server}")),
        ("-a -t 1.2.3.4:80 -r 1.2.3.5 -i --tun-type ipip", format!("-i (--ipip) {server}")),
        ("-a -t 1.2.3.4:80 -r 1.2.3.5 -x 10", format!("-x (--u-threshold) {server}")),
        ("-L --rate", format!("--rate {listing}")),
        ("-Lnc", format!("-c (--connection) {listing}")),
        ("-L --timeout", format!("--timeout {listing}")),
        ("-L --daemon", format!("--daemon {listing}")),
        ("-L --thresholds", format!("--thresholds {listing}")),
        ("-L --persistent-conn", format!("--persistent-conn {listing}")),
        ("-L --tun-info", format!("--tun-info {listing}")),
        ("--set 900 120 300", format!("--set {command}")),
        ("--start-daemon master --syncid 1", format!("--start-daemon {command}")),
        ("--stop-daemon=backup", format!("--stop-daemon {command}")),
        (
            "-A -t 1.2.3.4:80",
            "scheduler wlc, the default without -s, is not available: give -s rr or -s wrr\n".to_owned(),
        ),
        ("-E -t 1.2.3.4:80 -s mh", "scheduler mh is not available: give -s rr or -s wrr\n".to_owned()),
        (
            "-A -t [2001:db8::1]:80 -s rr",
            "IPv6 address 2001:db8::1 is not available: give an IPv4 address\n".to_owned(),
        ),
    ] {
        let expected = Answer { output: refusal, exit_status: 2 };
        assert_eq!(answer(line, &mut Model::default()), expected, "ipvsadm {line}");
    }
}

#[test]
fn a_service_without_a_port_is_not_there() {
    for (line, message, exit_status) in [
        ("-D -t 1.2.3.4", "No such service\n", 255),
        ("-Z -t 1.2.3.4", "No such service\n", 255),
        ("-d -t 1.2.3.4 -r 1.2.3.5", "Service not defined\n", 255),
        ("-a -t 1.2.3.4 -r 1.2.3.5", "Service not defined\n", 255),
        ("-Ln -t 1.2.3.4", "No such service\n", 1),
    ] {
        let expected = Answer { output: message.to_owned(), exit_status };
        assert_eq!(answer(line, &mut Model::default()), expected, "ipvsadm {line}");
    }
}

#[test]
fn help_and_version_need_no_more() {
    assert_eq!(answer("-h --bogus", &mut Model::default()), Answer::ok(HELP));
    assert_eq!(answer("--version", &mut Model::default()), Answer::ok(VERSION));
    assert_eq!(VERSION.lines().count(), 1);
}

fn models() -> impl Strategy<Value = Model> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    let scheduler = prop_oneof![Just(Scheduler::Rr), Just(Scheduler::Wrr)];
    let servers = btree_map(1_u32..0xdfff_ffff, 0..=i32::MAX as u32, 0..6);
    let services = btree_map((protocol, any::<u32>(), 1..=u16::MAX), (scheduler, servers), 0..6);
    services.prop_map(|services| {
        let mut model = Model::default();
        for ((protocol, virtual_ip, port), (scheduler, servers)) in services {
            let address = SocketAddr::new(Ipv4Addr::from(virtual_ip).into(), port);
            let service = ServiceAddress { protocol, address };
            model.apply(&Change::AddService { service, options: ServiceOptions { scheduler } }).unwrap();
            for (real_ip, weight) in servers {
                let server = SocketAddr::new(Ipv4Addr::from(real_ip).into(), port);
                // Multicast and 0/8 are refused: then the service has one server less.
                let _ =
                    model.apply(&Change::AddServer { service, server, options: ServerOptions { weight } });
            }
        }
        model
    })
}

/// Words that look like a command line, and words that don't.
fn word() -> impl Strategy<Value = String> {
    let known = vec![
        "-A",
        "-E",
        "-D",
        "-C",
        "-a",
        "-e",
        "-d",
        "-L",
        "-Z",
        "-S",
        "-R",
        "--set",
        "--start-daemon",
        "-t",
        "-u",
        "-f",
        "-s",
        "-r",
        "-g",
        "-w",
        "-p",
        "-M",
        "-b",
        "-6",
        "-o",
        "--",
        "-",
        "--stats=",
        "1.2.3.4:80",
        "[::1]:80",
        "rr",
        "master",
        "7",
        ",",
        "",
    ];
    prop_oneof![
        proptest::sample::select(known).prop_map(str::to_owned),
        "-{0,2}[A-Za-z0-9=:é]{0,6}",
        any::<String>()
    ]
}

proptest! {
    #[test]
    fn saved_rules_make_the_same_table_again(model in models()) {
        let rules = save(&snapshot(&model), SaveRequest { numeric: true }, &Numbers);
        let mut again = Model::default();
        again.apply_all(&parse_rules(&rules, &Numbers).unwrap().changes).unwrap();
        // The models were made in the order in which rules are saved.
        prop_assert_eq!(again, model);
    }

    #[test]
    fn no_words_can_stop_the_parser(words in vec(word(), 0..8)) {
        if let Err(failure) = parse(&words, &RecordedNames) {
            assert!(matches!(failure.exit_status(), 1 | 2 | 255) && !failure.to_string().is_empty());
        }
    }

    #[test]
    fn no_text_can_stop_the_rules_parser(text in any::<String>()) {
        let _ = parse_rules(&text, &RecordedNames);
    }
}
