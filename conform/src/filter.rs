//! `--only`: which of the cases are run.

use super::case::Case;

/// One or more of version, family and name with `/` between: `SKLC`, `1.4`, `SKFF/1.4`, `SKLC-M-1-14`. All of them
/// must be the case's. Case does not count.
#[derive(Clone, Debug)]
pub struct Only(Vec<String>);

impl Only {
    /// Reads a choice; blanks around its parts do not count.
    pub fn new(text: &str) -> Self {
        Self(text.split('/').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }

    /// Whether the case is meant.
    pub fn takes(&self, case: &Case) -> bool {
        let version = case.version.to_string();
        let is = |part: &String| {
            [&version, &case.family, &case.name].iter().any(|known| known.eq_ignore_ascii_case(part))
        };
        !self.0.is_empty() && self.0.iter().all(is)
    }
}

/// The cases that one of `only` takes, or all where there is none.
pub fn select(cases: Vec<Case>, only: &[Only]) -> Vec<Case> {
    if only.is_empty() {
        return cases;
    }
    cases.into_iter().filter(|case| only.iter().any(|only| only.takes(case))).collect()
}

#[cfg(test)]
mod tests {
    use kmip::ProtocolVersion;

    use super::*;
    use crate::case::Plan;

    fn taken(only: &str) -> Vec<String> {
        let case = |family: &str, name: &str, minor| Case {
            name: name.to_owned(),
            family: family.to_owned(),
            version: ProtocolVersion::new(1, minor),
            encoding: None,
            plan: Plan::Run(Vec::new()),
        };
        let cases = vec![
            case("SKLC", "SKLC-M-1-12", 2),
            case("SKLC", "SKLC-M-1-14", 4),
            case("SKFF", "SKFF-M-1-14", 4),
        ];
        let only: Vec<_> = only.split_whitespace().map(Only::new).collect();
        select(cases, &only).into_iter().map(|case| case.name).collect()
    }

    #[test]
    fn cases_are_chosen_by_family_version_and_name() {
        assert_eq!(taken("").len(), 3);
        assert_eq!(taken("sklc"), ["SKLC-M-1-12", "SKLC-M-1-14"]);
        assert_eq!(taken("1.4"), ["SKLC-M-1-14", "SKFF-M-1-14"]);
        assert_eq!(taken("SKLC/1.4"), ["SKLC-M-1-14"]);
        assert_eq!(taken("1.4/SKLC/SKLC-M-1-14"), ["SKLC-M-1-14"]);
        assert_eq!(taken("SKLC/1.4 SKFF-M-1-14"), ["SKLC-M-1-14", "SKFF-M-1-14"]);
        assert!(taken("SKLC/1.1").is_empty());
        assert!(taken("/").is_empty());
    }
}
