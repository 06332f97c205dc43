//! A small seeded source of numbers: the same seed gives the same capture on every platform and version.

/// `xorshift128+` (Vigna, 2014), seeded through `splitmix64`. Not for secrets.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 2],
}

impl Random {
    /// A generator of its own for each seed; 0 is as good as any.
    pub fn new(seed: u64) -> Self {
        let mut mix = seed;
        let mut next = || {
            mix = mix.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = mix;
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        };
        Self { state: [next(), next() | 1] }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [mut a, b] = self.state;
        a ^= a << 23;
        let mixed = a ^ b ^ a >> 17 ^ b >> 26;
        self.state = [b, mixed];
        mixed.wrapping_add(b)
    }

    /// A number below `limit`; 0 when `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(limit)) >> 64) as u64
    }

    /// A number from `low` up to, not including, `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low))
    }

    /// True in `percent` of a hundred calls.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// 16 random bits, as ids and ports want them.
    pub fn word(&mut self) -> u16 {
        (self.bits() >> 48) as u16
    }

    /// One of the items; `None` when there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// A number below `limit` with small ones far more likely, as popularity is spread in real traffic.
    pub fn popular(&mut self, limit: u64) -> u64 {
        let once = self.below(limit.max(1));
        let twice = self.below(once.max(1));
        self.below(twice.max(1))
    }
}
