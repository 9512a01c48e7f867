//! One value against its key.

use std::net::{IpAddr, SocketAddr};

use toml::de::DeValue;

use super::values::Value;
use super::{Key, Kind, Table};

impl Table {
    /// The value, or what is wrong with it.
    pub(super) fn check(&self, key: &Key, value: &DeValue<'_>) -> Result<Value, String> {
        match key.kind {
            Kind::Number(min, max) => number(value, min, max),
            Kind::Switch => match value.as_bool() {
                Some(switch) => Ok(Value::Switch(switch)),
                None => Err(format!("is true or false, got {}", value.type_str())),
            },
            kind => {
                let got = || format!("is a text in quotes, got {}", value.type_str());
                let text = value.as_str().ok_or_else(got)?;
                self.check_text(kind, text)?;
                Ok(Value::Text(text.to_owned()))
            }
        }
    }

    fn check_text(&self, kind: Kind, text: &str) -> Result<(), String> {
        let (fits, what, hint) = match kind {
            Kind::Name => return (self.check_name)(text),
            Kind::Path if text.is_empty() => return Err("is a path, got an empty text".to_owned()),
            Kind::Path | Kind::Number(..) | Kind::Switch => return Ok(()),
            Kind::Choice(words) => (words.contains(&text), format!("is one of {}", words.join(", ")), None),
            Kind::Ip => (text.parse::<IpAddr>().is_ok(), "is an IP address".to_owned(), None),
            Kind::Address(hint) => {
                (text.parse::<SocketAddr>().is_ok(), "is an IP address and a port".to_owned(), Some(hint))
            }
            Kind::HostPort(hint) => {
                let parts = text.rsplit_once(':');
                let fits = parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
                (fits, "is a host and a port".to_owned(), Some(hint))
            }
        };
        match (fits, hint) {
            (true, _) => Ok(()),
            (false, None) => Err(format!("{what}, got \"{text}\"")),
            (false, Some([one, other])) => {
                Err(format!("{what}, got \"{text}\"; hint: \"{one}\" or \"{other}\""))
            }
        }
    }
}

fn number(value: &DeValue<'_>, min: i64, max: i64) -> Result<Value, String> {
    let number = value.as_integer().ok_or_else(|| format!("is an integer, got {}", value.type_str()))?;
    let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
    match number.filter(|number| (min..=max).contains(number)) {
        Some(number) => Ok(Value::Number(number)),
        None => Err(format!(
            "is an integer from {min} to {max}, got {}",
            number.map_or("a larger one".to_owned(), |number| number.to_string())
        )),
    }
}
