//! The port names that are printed without `-n`: those of IANA's registry and of Debian's `/etc/services`.

use std::collections::HashMap;
use std::sync::OnceLock;

/// A port by number or by name. A name that stands for different ports over TCP and UDP is in the table with the first.
pub fn port(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    services().get(text).copied()
}

fn services() -> &'static HashMap<&'static str, u16, foldhash::fast::FixedState> {
    static TABLE: OnceLock<HashMap<&'static str, u16, foldhash::fast::FixedState>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let rows = include_str!("../../../assets/services.txt").lines().filter(|row| !row.starts_with('#'));
        let names = rows.filter_map(|row| {
            let (port, names) = row.split_once(' ')?;
            let port: u16 = port.parse().ok()?;
            Some(names.split(' ').map(move |name| (name, port)))
        });
        names.flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_system_stand_for_their_ports() {
        for (name, number) in
            [("domain", 53), ("https", 443), ("zabbix-agent", 10050), ("commplex-main", 5000)]
        {
            assert_eq!(port(name), Some(number), "{name}");
        }
        assert_eq!((port("53"), port("65536"), port(""), port("com")), (Some(53), None, None, None));
        assert!(services().len() > 6_000);
    }
}
