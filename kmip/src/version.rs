//! The versions of the protocol that this crate speaks.

use std::fmt;

/// A version of KMIP as a message states it (KMIP 1.4 section 6.1). Any pair survives decoding; later versions are
/// greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProtocolVersion {
    /// Protocol Version Major: 1 in all that this crate knows. A change breaks older peers.
    pub major: i32,
    /// Protocol Version Minor: 0 to 4 in all that this crate knows. A change only adds.
    pub minor: i32,
}

impl ProtocolVersion {
    /// KMIP 1.0, of 2010.
    pub const V1_0: Self = Self::new(1, 0);
    /// KMIP 1.1, of 2013: the version of vSphere's key provider.
    pub const V1_1: Self = Self::new(1, 1);
    /// KMIP 1.2, of 2015: cryptographic operations.
    pub const V1_2: Self = Self::new(1, 2);
    /// KMIP 1.3, of 2016: streaming, random number generators, Locate with an offset.
    pub const V1_3: Self = Self::new(1, 3);
    /// KMIP 1.4, of 2017: Import, Export, sensitive and extractable keys.
    pub const V1_4: Self = Self::new(1, 4);

    /// Every known version, newest first, as Discover Versions lists them (KMIP 1.4 section 4.26).
    pub const ALL: &'static [Self] = &[Self::V1_4, Self::V1_3, Self::V1_2, Self::V1_1, Self::V1_0];

    /// The version with these numbers, known or not.
    pub const fn new(major: i32, minor: i32) -> Self {
        Self { major, minor }
    }

    /// Whether this crate has the tables of this version.
    pub fn is_known(self) -> bool {
        Self::ALL.contains(&self)
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The version that a column of a table names: `version!(1.2)`.
macro_rules! version {
    (1.0) => {
        $crate::ProtocolVersion::V1_0
    };
    (1.1) => {
        $crate::ProtocolVersion::V1_1
    };
    (1.2) => {
        $crate::ProtocolVersion::V1_2
    };
    (1.3) => {
        $crate::ProtocolVersion::V1_3
    };
    (1.4) => {
        $crate::ProtocolVersion::V1_4
    };
}
pub(crate) use version;

#[cfg(test)]
mod tests {
    use super::ProtocolVersion;

    #[test]
    fn versions_are_listed_newest_first() {
        assert!(ProtocolVersion::ALL.is_sorted_by(|a, b| a > b));
        assert_eq!(ProtocolVersion::ALL.len(), 5);
    }

    #[test]
    fn a_version_is_written_as_people_write_it() {
        assert_eq!(ProtocolVersion::V1_4.to_string(), "1.4");
        assert_eq!(ProtocolVersion::new(3, 10).to_string(), "3.10");
    }

    #[test]
    fn a_version_from_elsewhere_survives_and_is_not_known() {
        let version = ProtocolVersion::new(2, 1);
        assert!(version > ProtocolVersion::V1_4);
        assert!(!version.is_known());
    }
}
