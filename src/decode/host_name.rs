//! Names that stand for hosts where no number was printed; an address carries a key, the text is kept once for all.

use super::Site;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::sync::{PoisonError, RwLock};

/// A longer word is no host: names have up to 253 characters (RFC 1035 §3.1), zones and masks add a few.
pub const HOST_NAME_MAX_BYTES: usize = 320;
/// Distinct names kept in one of the shares; what comes beyond is told apart, but shown by its key.
const SHARE_MAX: usize = 1 << 18;
/// Shares, so that threads seldom wait for one another.
const SHARES: usize = 16;
/// Names a thread has at hand.
const AT_HAND: usize = 512;
/// Texts with one hash that are told apart.
const SALTS_MAX: u64 = 8;

/// A host by its name as printed. Equal texts of one address family have equal keys, in every run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HostName {
    key: [u8; 8],
    v6: bool,
    site: Site,
}

/// Names of the loopback addresses (RFC 6761 §6.3, and Debian's `/etc/hosts`).
const LOOPBACK: &[&str] =
    &["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "localhost6"];

type Share = RwLock<HashMap<u64, &'static str, foldhash::fast::FixedState>>;

/// Texts by key. What is read never depends on which of them are there, only how it is shown.
static TEXTS: [Share; SHARES] =
    [const { RwLock::new(HashMap::with_hasher(foldhash::fast::FixedState::with_seed(0))) }; SHARES];

thread_local! {
    static RECENT: RefCell<[(u64, &'static str); AT_HAND]> = const { RefCell::new([(0, ""); AT_HAND]) };
}

impl HostName {
    /// The name of a host, remembered so that it can be shown.
    pub fn new(text: &str, v6: bool) -> Self {
        let hash = hash(text, 0);
        let at = hash as usize % AT_HAND;
        let recent = RECENT.with_borrow(|recent| recent.get(at).copied()).filter(|(_, known)| *known == text);
        let key = recent.map_or_else(|| remember(text, hash), |(key, _)| key);
        Self { key: key.to_ne_bytes(), v6, site: Site::NONE }
    }

    /// The name, if a packet read so far carries it.
    pub fn find(text: &str) -> Option<Self> {
        let keys = (0..SALTS_MAX).map(|salt| hash(text, salt));
        let key = keys.take_while(|key| known(*key).is_some()).find(|key| known(*key) == Some(text))?;
        Some(Self { key: key.to_ne_bytes(), v6: false, site: Site::NONE })
    }

    /// Whether it was printed of an IPv6 packet.
    pub fn is_v6(self) -> bool {
        self.v6
    }

    /// Whether every system gives this name to itself.
    pub fn is_loopback(self) -> bool {
        self.text().is_some_and(|text| LOOPBACK.contains(&text))
    }

    /// The site it belongs to.
    pub fn site(self) -> Site {
        self.site
    }

    /// The same name at a site. Full names are those of one host everywhere; one label, or a masked number, is not.
    #[must_use]
    pub fn at(self, site: Site) -> Self {
        let is_full = |text: &str| {
            let end = text.rsplit('.').next().unwrap_or_default();
            text.contains('.') && end.len() > 1 && end.bytes().all(|byte| byte.is_ascii_alphabetic())
        };
        let is_local = self.text().is_none_or(|text| self.is_loopback() || !is_full(text));
        if is_local { Self { site, ..self } } else { self }
    }

    /// The same without a site.
    #[must_use]
    pub fn without_site(self) -> Self {
        Self { site: Site::NONE, ..self }
    }

    /// What tells names apart, whatever the family.
    pub fn key(self) -> u64 {
        u64::from_ne_bytes(self.key)
    }

    /// The text as printed; `None` beyond the number of names that are kept.
    pub fn text(self) -> Option<&'static str> {
        known(self.key())
    }

    /// The text as printed, or what stands for it.
    pub fn label(self) -> std::borrow::Cow<'static, str> {
        self.text().map_or_else(|| format!("host-{:016x}", self.key()).into(), Into::into)
    }
}

/// The key under which a text that is not kept would be found, for comparing.
pub fn key_of(text: &str) -> u64 {
    HostName::find(text).map_or_else(|| hash(text, 0), HostName::key)
}

fn hash(text: &str, salt: u64) -> u64 {
    let mut hasher = foldhash::quality::FixedState::with_seed(salt).build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

fn share(key: u64) -> &'static Share {
    // There are as many shares as the remainder has values.
    TEXTS.get((key >> 32) as usize % SHARES).unwrap_or(&TEXTS[0])
}

fn known(key: u64) -> Option<&'static str> {
    share(key).read().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
}

fn remember(text: &str, hash: u64) -> u64 {
    let mut key = hash;
    for salt in 1..=SALTS_MAX {
        match known(key) {
            Some(known) if known == text => break,
            Some(_) => key = self::hash(text, salt),
            None => {
                let mut texts = share(key).write().unwrap_or_else(PoisonError::into_inner);
                if texts.len() >= SHARE_MAX {
                    return key;
                }
                let found = *texts.entry(key).or_insert_with(|| Box::leak(text.into()));
                if found == text {
                    break;
                }
                key = self::hash(text, salt);
            }
        }
    }
    if let Some(known) = known(key) {
        RECENT.with_borrow_mut(|recent| {
            if let Some(slot) = recent.get_mut(hash as usize % AT_HAND) {
                *slot = (key, known);
            }
        });
    }
    key
}

impl Hash for HostName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.key());
        state.write_u8(u8::from(self.v6));
        self.site.hash(state);
    }
}

impl Ord for HostName {
    fn cmp(&self, other: &Self) -> Ordering {
        if self == other {
            return Ordering::Equal;
        }
        self.label()
            .cmp(&other.label())
            .then(self.v6.cmp(&other.v6))
            .then(self.site.cmp(&other.site))
            .then(self.key.cmp(&other.key))
    }
}

impl PartialOrd for HostName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.label())
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&crate::text::escape(&self.label()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_host_wherever_it_is_read() {
        let here = HostName::new("resolver1", false);
        let there = std::thread::spawn(|| HostName::new("resolver1", false)).join().unwrap();
        assert_eq!(here, there);
        assert_ne!(here, HostName::new("resolver2", false));
        assert_ne!(here, HostName::new("resolver1", true));
        assert_eq!((here.text(), here.key()), (Some("resolver1"), HostName::new("resolver1", true).key()));
        assert_eq!(HostName::find("resolver1"), Some(here));
        assert_eq!(HostName::find("never-printed"), None);
    }

    #[test]
    fn names_are_ordered_by_their_text_and_shown_without_what_could_deceive() {
        assert!(HostName::new("a.example.net", true) < HostName::new("b.example.net", false));
        assert_eq!(HostName::new("a\u{202e}b", false).to_string(), "a\\u{202e}b");
    }
}
