//! The authority: a key pair that signs certificates by profile. Nothing a request asks for, beyond its subject
//! and key, is believed.

use openssl::pkey::{PKey, Private, Public};
use openssl::x509::{X509, X509Ref, X509Req};

use crate::error::{Error, confirmed, unreadable, while_doing};
use crate::issue::{Issued, Order, Validity, sign};
use crate::key::{KeyKind, PrivateKeyPem, check_strength, private_key_from_pem};
use crate::name::{AltName, Subject, name_text};
use crate::pem;
use crate::profile::Profile;
use crate::time::{check_dates_of, to_unix};
use crate::{der, inspect};

/// An authority with its private key in memory. `now` is Unix seconds everywhere; every certificate begins
/// [`crate::BACKDATED_S`] before it and ends with the authority at the latest.
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    /// A new self-signed authority, valid for `days` (1 to 36,525; [`Profile::days`] is the usual).
    pub fn create(subject_cn: &str, kind: KeyKind, now: i64, days: u32) -> Result<Self, Error> {
        let subject = Subject::named(subject_cn).to_name()?;
        let key = kind.generate()?;
        let order = Order {
            profile: Profile::Authority,
            subject: &subject,
            alt_names: &[],
            public_key: &public_half(&key)?,
            validity: Validity::from(now, days)?,
        };
        let certificate = sign(&order, None, &key)?;
        Ok(Authority { certificate, key })
    }

    /// An authority from its certificate (the first in the text) and its unencrypted private key.
    ///
    /// Fails when the two do not belong together or the certificate is not an authority's. Its dates are checked
    /// when it signs, so that an expired one can still be loaded and renewed.
    pub fn load(cert_pem: &str, key_pem: &str) -> Result<Self, Error> {
        let certificate = pem::first_certificate(cert_pem)?;
        let key = private_key_from_pem(key_pem)?;
        let subject = || name_text(certificate.subject_name());
        let public = certificate.public_key().map_err(unreadable("authority's public key"))?;
        if !public.public_eq(&key) {
            return Err(Error::KeyMismatch { subject: subject() });
        }
        if !der::is_ca(&der_of(&certificate)?)? {
            return Err(Error::NotAnAuthority { subject: subject() });
        }
        Ok(Authority { certificate, key })
    }

    /// The authority's certificate, which clients and servers are given.
    pub fn cert_pem(&self) -> Result<String, Error> {
        pem_of(&self.certificate)
    }

    /// The authority's private key: whoever has it can pass for every client.
    pub fn key_pem(&self) -> Result<PrivateKeyPem, Error> {
        PrivateKeyPem::of(&self.key)
    }

    /// A new key pair and its certificate, valid for the profile's days.
    ///
    /// Fails for [`Profile::Authority`], a subject that cannot be written, a server or node without alternative
    /// names, and when this authority is not valid now.
    pub fn issue(
        &self,
        profile: Profile,
        subject: &Subject,
        kind: KeyKind,
        now: i64,
    ) -> Result<Issued, Error> {
        let validity = self.validity(profile, now)?;
        let name = subject.to_name()?;
        self.check_subject(&name)?;
        let key = kind.generate()?;
        let order = Order {
            profile,
            subject: &name,
            alt_names: &subject.alt_names,
            public_key: &public_half(&key)?,
            validity,
        };
        let certificate = sign(&order, Some(&self.certificate), &self.key)?;
        Ok(Issued { cert_pem: pem_of(&certificate)?, key_pem: PrivateKeyPem::of(&key)? })
    }

    /// The certificate, PEM, for a request in PEM (PKCS#10). Takes its subject and public key; whatever
    /// extensions it asks for are left out, so a request for an authority yields no authority, and a profile that
    /// must carry alternative names cannot be had this way.
    ///
    /// Fails when the request is not signed by its own key, its key is weak or its subject empty.
    pub fn sign_csr(&self, csr_pem: &str, profile: Profile, now: i64) -> Result<String, Error> {
        let validity = self.validity(profile, now)?;
        let (request, public_key) = verified_request(csr_pem)?;
        let subject = request.subject_name();
        self.check_subject(subject)?;
        let order = Order { profile, subject, alt_names: &[], public_key: &public_key, validity };
        pem_of(&sign(&order, Some(&self.certificate), &self.key)?)
    }

    /// As [`Authority::sign_csr`], but for the subject that is given here: of the request only the key is believed.
    /// So a node that joins keeps its private key, and the cluster says under which number and names it is known.
    ///
    /// Fails as `sign_csr` does, and when the subject cannot be written.
    pub fn sign_csr_as(
        &self,
        csr_pem: &str,
        profile: Profile,
        subject: &Subject,
        now: i64,
    ) -> Result<String, Error> {
        let validity = self.validity(profile, now)?;
        let (_, public_key) = verified_request(csr_pem)?;
        let name = subject.to_name()?;
        self.check_subject(&name)?;
        let alt_names = &subject.alt_names;
        let order = Order { profile, subject: &name, alt_names, public_key: &public_key, validity };
        pem_of(&sign(&order, Some(&self.certificate), &self.key)?)
    }

    /// The same certificate (the first in the text) with new dates and a new serial number: subject, alternative
    /// names and key stay, so no private key is needed.
    ///
    /// Fails when this authority did not sign it, or it was made by another profile.
    pub fn renew(&self, cert_pem: &str, profile: Profile, now: i64) -> Result<String, Error> {
        let old = self.own(cert_pem, profile)?;
        let public_key = old.public_key().map_err(unreadable("certificate's public key"))?;
        pem_of(&self.again(&old, profile, &public_key, now)?)
    }

    /// The same with a new key pair.
    pub fn renew_with_new_key(
        &self,
        cert_pem: &str,
        profile: Profile,
        kind: KeyKind,
        now: i64,
    ) -> Result<Issued, Error> {
        let old = self.own(cert_pem, profile)?;
        let key = kind.generate()?;
        let certificate = self.again(&old, profile, &public_half(&key)?, now)?;
        Ok(Issued { cert_pem: pem_of(&certificate)?, key_pem: PrivateKeyPem::of(&key)? })
    }

    /// This authority with new dates: name and key stay, so all it signed stays good under the new certificate.
    pub fn renewed(&self, now: i64, days: u32) -> Result<Self, Error> {
        let order = Order {
            profile: Profile::Authority,
            subject: self.certificate.subject_name(),
            alt_names: &[],
            public_key: &public_half(&self.key)?,
            validity: Validity::from(now, days)?,
        };
        Ok(Authority { certificate: sign(&order, None, &self.key)?, key: self.key.clone() })
    }

    fn again(
        &self,
        old: &X509Ref,
        profile: Profile,
        public_key: &PKey<Public>,
        now: i64,
    ) -> Result<X509, Error> {
        let alt_names: Vec<AltName> =
            old.subject_alt_names().iter().flatten().filter_map(AltName::read).collect();
        let order = Order {
            profile,
            subject: old.subject_name(),
            alt_names: &alt_names,
            public_key,
            validity: self.validity(profile, now)?,
        };
        sign(&order, Some(&self.certificate), &self.key)
    }

    /// A certificate that this authority signed by this profile.
    fn own(&self, cert_pem: &str, profile: Profile) -> Result<X509, Error> {
        let certificate = pem::first_certificate(cert_pem)?;
        if !confirmed(certificate.verify(&self.key)) {
            return Err(Error::OtherAuthority {
                subject: name_text(certificate.subject_name()),
                expected: name_text(self.certificate.subject_name()),
                got: name_text(certificate.issuer_name()),
            });
        }
        let usages = der::extended_key_usages(&der_of(&certificate)?)?.unwrap_or_default();
        let holds = |usage: &str| usages.iter().any(|held| held == usage);
        let row = profile.row();
        if holds(inspect::SERVER_AUTH) != row.server_auth || holds(inspect::CLIENT_AUTH) != row.client_auth {
            let subject = name_text(certificate.subject_name());
            return Err(Error::OtherProfile { subject, expected: profile, got: usages.join(", ") });
        }
        Ok(certificate)
    }

    /// Dates for a certificate that this authority signs now.
    fn validity(&self, profile: Profile, now: i64) -> Result<Validity, Error> {
        if profile.row().ca {
            return Err(Error::ProfileOfAuthority);
        }
        check_dates_of(&self.certificate, now).map_err(|source| Error::AuthorityDates {
            subject: name_text(self.certificate.subject_name()),
            source,
        })?;
        Ok(Validity::from(now, profile.days())?.within(to_unix(self.certificate.not_after())?))
    }

    fn check_subject(&self, subject: &openssl::x509::X509NameRef) -> Result<(), Error> {
        if subject.entries().next().is_none() {
            return Err(Error::EmptySubject);
        }
        let same = subject.try_cmp(self.certificate.subject_name());
        if same.map_err(while_doing("comparing names"))?.is_eq() {
            return Err(Error::AuthoritysName { subject: name_text(subject) });
        }
        Ok(())
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("subject", &name_text(self.certificate.subject_name()))
            .finish_non_exhaustive()
    }
}

/// A request whose sender has the key it names, and that key, which is strong enough.
fn verified_request(csr_pem: &str) -> Result<(X509Req, PKey<Public>), Error> {
    let text = pem::expect_label(csr_pem, "CERTIFICATE REQUEST", |label| {
        matches!(label, "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST")
    })?;
    let request = X509Req::from_pem(text.as_bytes()).map_err(unreadable("certificate request"))?;
    let public_key = request.public_key().map_err(unreadable("certificate request's key"))?;
    if !confirmed(request.verify(&public_key)) {
        return Err(Error::RequestSignature);
    }
    check_strength(&public_key)?;
    Ok((request, public_key))
}

pub(crate) fn public_half(key: &PKey<Private>) -> Result<PKey<Public>, Error> {
    key.public_key_to_der()
        .and_then(|der| PKey::public_key_from_der(&der))
        .map_err(while_doing("taking the public half of a key"))
}

pub(crate) fn pem_of(certificate: &X509) -> Result<String, Error> {
    let pem = certificate.to_pem().map_err(while_doing("writing a certificate as PEM"))?;
    String::from_utf8(pem)
        .map_err(|_| Error::Unreadable { what: "certificate", reason: "PEM that is not text".to_owned() })
}

fn der_of(certificate: &X509) -> Result<Vec<u8>, Error> {
    certificate.to_der().map_err(while_doing("writing a certificate as DER"))
}
