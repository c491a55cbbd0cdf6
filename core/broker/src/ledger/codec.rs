//! How do values stand in bytes?
//!
//! Numbers take one byte for each seven bits, the lowest first; strings have their length in front.

/// Writes into the bytes of a value.
pub(super) trait Write {
    /// A number in as few bytes as it needs.
    fn number(&mut self, value: u64);
    /// Bytes behind their length.
    fn sized(&mut self, bytes: &[u8]);
}

impl Write for Vec<u8> {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn sized(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }
}

/// Reads the bytes of a value; everything that is not there is `None`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader of a value of that version; `None` for another one.
    pub fn of_version(value: &'a [u8], version: u8) -> Option<Self> {
        let mut reader = Self(value);
        (reader.byte()? == version).then_some(reader)
    }

    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// What [`Write::number`] wrote.
    pub fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A number that fits a smaller type.
    pub fn small<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.number()?).ok()
    }

    /// What [`Write::sized`] wrote.
    pub fn sized(&mut self) -> Option<&'a [u8]> {
        let len = self.small()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    /// The same, as UTF-8.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.sized()?).ok()
    }

    /// All that is left.
    pub const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// `value`, if nothing is left behind it.
    pub fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_strings_are_read_as_they_were_written() {
        let mut bytes = vec![1];
        for number in [0, 127, 128, 16_384, u64::MAX - 1, u64::MAX] {
            bytes.number(number);
        }
        bytes.sized("é/+".as_bytes());
        let mut reader = Reader::of_version(&bytes, 1).unwrap();
        for number in [0, 127, 128, 16_384, u64::MAX - 1, u64::MAX] {
            assert_eq!(reader.number(), Some(number));
        }
        assert_eq!(reader.text(), Some("é/+"));
        assert_eq!(reader.end(()), Some(()));
    }

    #[test]
    fn what_is_cut_short_or_too_large_is_nothing() {
        assert!(Reader::of_version(&[], 1).is_none());
        assert!(Reader::of_version(&[2], 1).is_none());
        assert_eq!(Reader(&[0x80]).number(), None);
        assert_eq!(Reader(&[0xFF; 10]).number(), None);
        assert_eq!(Reader(&[0xFF; 11]).number(), None);
        assert_eq!(Reader(&[0x80, 0x04]).small::<u8>(), None);
        assert_eq!(Reader(&[3, b'a', b'b']).sized(), None);
        assert_eq!(Reader(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0]).sized(), None);
        assert_eq!(Reader(&[1, 0xFF]).text(), None);
        assert_eq!(Reader(&[0]).end(()), None);
    }
}
