//! `/etc/services`: the names of ports (services(5)).

/// What the file says, in its order: the first match counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServicesFile {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    port: u16,
    transport: String,
    aliases: Vec<String>,
}

impl ServicesFile {
    /// Reads the file's text. Lines that say nothing are skipped, as by the C library.
    pub(super) fn parse(text: &str) -> Self {
        Self { entries: text.lines().filter_map(Entry::parse).collect() }
    }

    /// The port of a service, by its name or an alias.
    pub(super) fn port_of(&self, service: &str, transport: &str) -> Option<u16> {
        let called =
            |entry: &&Entry| entry.name == service || entry.aliases.iter().any(|alias| alias == service);
        self.of(transport).find(called).map(|entry| entry.port)
    }

    /// The service of a port.
    pub(super) fn service_of(&self, port: u16, transport: &str) -> Option<&str> {
        self.of(transport).find(|entry| entry.port == port).map(|entry| entry.name.as_str())
    }

    fn of(&self, transport: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.transport == transport)
    }
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let said = line.split_once('#').map_or(line, |(said, _comment)| said);
        let mut words = said.split_whitespace();
        let name = words.next()?.to_owned();
        let (port, transport) = words.next()?.split_once('/')?;
        Some(Self {
            name,
            port: port.parse().ok()?,
            transport: transport.to_owned(),
            aliases: words.map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Network services
tcpmux\t\t1/tcp\t\t\t\t# TCP port service multiplexer
domain\t\t53/tcp\t\t\t\t# Domain Name Server
domain\t\t53/udp
http\t\t80/tcp\t\twww\t\t# WorldWideWeb HTTP
http-second\t80/tcp
broken
broken2\tx/tcp
";

    #[test]
    fn names_and_aliases_are_a_transports_own() {
        let services = ServicesFile::parse(TEXT);
        assert_eq!(services.port_of("http", "tcp"), Some(80));
        assert_eq!(services.port_of("www", "tcp"), Some(80));
        assert_eq!(services.port_of("www", "udp"), None);
        assert_eq!(services.port_of("domain", "udp"), Some(53));
        assert_eq!(services.port_of("broken2", "tcp"), None);
    }

    #[test]
    fn the_first_name_of_a_port_counts() {
        let services = ServicesFile::parse(TEXT);
        assert_eq!(services.service_of(80, "tcp"), Some("http"));
        assert_eq!(services.service_of(80, "udp"), None);
        assert_eq!(services.service_of(1, "tcp"), Some("tcpmux"));
    }
}
