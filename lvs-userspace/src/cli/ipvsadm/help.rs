//! `-h` and `-v`.

/// The help, in ipvsadm's shape, with what is available.
pub const HELP: &str = "\
Usage:
  ipvsadm -A|E virtual-service -s scheduler
  ipvsadm -D virtual-service
  ipvsadm -C
  ipvsadm -R
  ipvsadm -S [-n]
  ipvsadm -a|e virtual-service -r server-address [options]
  ipvsadm -d virtual-service -r server-address
  ipvsadm -L|l [virtual-service] [options]
  ipvsadm -Z [virtual-service]
  ipvsadm -h

Commands:
Either long or short options are allowed.
  --add-service     -A        add virtual service with options
  --edit-service    -E        edit virtual service with options
  --delete-service  -D        delete virtual service
  --clear           -C        clear the whole table
  --restore         -R        restore rules from stdin, all or none
  --save            -S        save rules to stdout
  --add-server      -a        add real server with options
  --edit-server     -e        edit real server with options
  --delete-server   -d        delete real server
  --list            -L|-l     list the table
  --zero            -Z        zero counters in a service or all services
  --help            -h        display this help message
  --version         -v        display the version

virtual-service:
  --tcp-service|-t  service-address   service-address is host:port
  --udp-service|-u  service-address   service-address is host:port

Options:
  --scheduler    -s scheduler         one of rr|wrr
  --real-server  -r server-address    server-address is host (and port)
  --gatewaying   -g                   gatewaying (direct routing) (default)
  --weight       -w weight            capacity of real server (default 1)
  --stats                             output of statistics information
  --exact        -X                   expand numbers (display exact values)
  --nosort                            disable sorting output of service/server entries
  --sort                              does nothing, for backwards compatibility
  --numeric      -n                   numeric output of addresses and ports
";

/// The version, in one line.
pub const VERSION: &str = concat!("lvs-xdp ", env!("CARGO_PKG_VERSION"), "\n");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ipvsadm::options::SWITCHES;
    use crate::control::service::Scheduler;

    #[test]
    fn the_help_names_exactly_what_is_available() {
        for switch in SWITCHES {
            let long = format!("--{}", switch.long);
            let mut words = HELP.split(|letter: char| letter.is_whitespace() || letter == '|');
            assert_eq!(words.any(|word| word == long), switch.available, "{long}");
        }
        let schedulers = Scheduler::ALL.map(Scheduler::name).join("|");
        assert!(HELP.contains(&format!("one of {schedulers}\n")));
    }
}
