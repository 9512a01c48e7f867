//! What each certificate holds, and why: one table, and no certificate is made beside it.

use std::fmt;

/// Seconds by which a certificate begins before it is made, for peers whose clock is behind ours: one hour.
pub const BACKDATED_S: i64 = 3_600;

/// Most days a certificate can be valid: 100 years, well before the four digits of its year end.
pub(crate) const DAYS_MAX: u32 = 36_525;

/// What a certificate is for. All are X.509 version 3, signed with SHA-256, and carry a serial number of 20
/// random bytes (positive, RFC 5280 section 4.1.2.2), a subjectKeyIdentifier and, where another signed them, an
/// authorityKeyIdentifier, so that a renewed authority is found by its key.
///
/// | profile   | basicConstraints      | keyUsage (critical)                      | extendedKeyUsage       | subjectAltName | days  |
/// |-----------|-----------------------|------------------------------------------|------------------------|----------------|-------|
/// | Authority | CA, path 0 (critical) | keyCertSign, cRLSign                     | –                      | –              | 7,300 |
/// | Server    | not CA (critical)     | digitalSignature, keyEncipherment if RSA | serverAuth             | required       | 3,650 |
/// | Node      | not CA (critical)     | digitalSignature, keyEncipherment if RSA | serverAuth, clientAuth | required       | 1,825 |
/// | Front     | not CA (critical)     | digitalSignature                         | clientAuth             | optional       | 1,825 |
/// | Admin     | not CA (critical)     | digitalSignature                         | clientAuth             | optional       | 365   |
/// | Client    | not CA (critical)     | digitalSignature                         | clientAuth             | optional       | 1,825 |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The certificate of the authority itself. Path length 0: it signs ends, never another authority. It must
    /// outlive all that it signs, so it has the most days.
    Authority,
    /// What clients see on the KMIP address, the same on every node, because vCenter pins the one it fetched
    /// through the address it was given. It names all addresses and host names. Its end asks an operator to trust
    /// anew in every vCenter, so it is far away. keyEncipherment is for old clients with static-RSA suites.
    Server,
    /// What nodes show each other. A node is server to one neighbour and client to the next, hence both usages.
    /// Signed by the *cluster's own* authority, never by the one that signs KMIP clients: a client must not pass
    /// for a node.
    Node,
    /// What a front shows the nodes that it hands requests to. It is their client and never a server to them. Signed
    /// by the *cluster's own* authority, as nodes are, for nodes take its word for who a client is.
    Front,
    /// A person or program that administers. A client certificate with few days, because people change.
    Admin,
    /// A KMIP client, such as a vCenter's key provider. Its end stops the client, so it has years.
    Client,
}

impl Profile {
    /// Every profile, in the table's order.
    pub const ALL: [Profile; 6] =
        [Profile::Authority, Profile::Server, Profile::Node, Profile::Front, Profile::Admin, Profile::Client];

    /// Days of validity when nobody asks for others. A certificate never outlives the authority that signs it.
    pub fn days(self) -> u32 {
        self.row().days
    }

    /// The profile's line in the table.
    pub(crate) fn row(self) -> Row {
        #[rustfmt::skip]
        let row = match self {
            Profile::Authority => Row { ca: true,  encipher: false, server_auth: false, client_auth: false, alt_names_required: false, days: 7_300 },
            Profile::Server    => Row { ca: false, encipher: true,  server_auth: true,  client_auth: false, alt_names_required: true,  days: 3_650 },
            Profile::Node      => Row { ca: false, encipher: true,  server_auth: true,  client_auth: true,  alt_names_required: true,  days: 1_825 },
            Profile::Front     => Row { ca: false, encipher: false, server_auth: false, client_auth: true,  alt_names_required: false, days: 1_825 },
            Profile::Admin     => Row { ca: false, encipher: false, server_auth: false, client_auth: true,  alt_names_required: false, days: 365 },
            Profile::Client    => Row { ca: false, encipher: false, server_auth: false, client_auth: true,  alt_names_required: false, days: 1_825 },
        };
        row
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Profile::Authority => "authority",
            Profile::Server => "server",
            Profile::Node => "node",
            Profile::Front => "front",
            Profile::Admin => "admin",
            Profile::Client => "client",
        })
    }
}

/// One line of the table on [`Profile`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// CA:TRUE with path length 0, keyCertSign and cRLSign; else CA:FALSE and digitalSignature.
    pub(crate) ca: bool,
    /// keyEncipherment, when the key is RSA.
    pub(crate) encipher: bool,
    pub(crate) server_auth: bool,
    pub(crate) client_auth: bool,
    pub(crate) alt_names_required: bool,
    pub(crate) days: u32,
}
