//! The texts of a trust pack: the clicks in the vSphere Client and scripts that do the same. Names in them are such as
//! [`super::parse_name`] lets through, so they need no quoting rules of three languages.

use super::pack::Pack;
use crate::admin::Way;

/// CLICKS.md: what to click in the vSphere Client (7.0 and 8.0), for this client's way.
pub(super) fn clicks(pack: &Pack) -> String {
    let Pack { name, tenant, host, port, server_sha1, server_sha256, .. } = pack;
    let way = way_clicks(pack);
    format!(
        "# {name}: the clicks in the vSphere Client

You need the privilege *Cryptographic operations > Manage key servers*. The scripts beside this file do the same.

## 1. Add the key provider

1. Select the vCenter Server in the inventory, then *Configure > Security > Key Providers*.
2. *Add > Add Standard Key Provider*. (Skip this step when provider `{tenant}` is listed already.)
   - Name: `{tenant}`. Write it down: every encrypted VM stores this name, and a vCenter that is set up anew needs the
     same one to unlock them.
   - KMS: a name of your choice, such as `kms`
   - Address: `{host}`
   - Port: `{port}`
   - Leave proxy, user name and password empty.
3. *Add Key Provider*. vCenter shows the certificate it got from the address. Compare, then *Trust*:
   - SHA-1 `{server_sha1}`
   - SHA-256 `{server_sha256}`

If they differ, stop: something else answers at that address.

## 2. Make the KMS trust vCenter

{way}## 3. See that it works

1. The provider's status becomes *Connected*, for both directions. (It is looked at every few minutes; *Refresh*.)
2. Encrypt a small test VM: *VM Policies > Edit VM Storage Policies > VM Encryption Policy*.
3. On the key server `kms key list --tenant {tenant}` shows the VM's name beside its key.

If the server's certificate was not trusted in step 1: select the KMS, *Establish Trust > Make vCenter Trust KMS*, or
*Upload KMS certificate* with `server.pem`.
"
    )
}

fn way_clicks(pack: &Pack) -> String {
    let Pack { name, tenant, .. } = pack;
    let start = "1. Select the provider, then the KMS in the list below it.\n2. *Establish Trust > Make KMS trust vCenter*.\n";
    match pack.way {
        Way::Issued => format!(
            "{start}3. *KMS certificate and private key*, *Next*.
4. Upper field: upload `cert.pem`. Lower field: upload `key.pem`.
5. *Establish Trust*.
6. Delete `key.pem` here once it works: vCenter has its own copy, and whoever has this file can read the keys of tenant
   `{tenant}`.

"
        ),
        Way::Csr => format!(
            "You have done the first part already: *New Certificate Signing Request (CSR)*, whose file was signed.

1. Select the provider, then the KMS in the list below it.
2. *Establish Trust > Upload Signed CSR Certificate*.
3. Upload `cert.pem`, *Upload*.

Only the newest request counts: when a new one was generated since, this certificate does not fit it. Then
`kms client remove {name}` and add it again with the new request.

"
        ),
        Way::Pinned => format!(
            "The key server trusts the certificate in `cert.pem`; vCenter must use that one.

{start}3. *vCenter Certificate*, *Next*. The certificate shown must be the one in `cert.pem`; do not generate another.
4. *Done*.

When vCenter generates a new certificate later, the key server refuses it until it is added in its turn:
`kms client add {name}-2 --cert NEW.pem --tenant {tenant}`.

"
        ),
        Way::Ca => format!(
            "The key server trusts every certificate of the CA in `client-ca.pem`: all that this CA makes can read the keys of
tenant `{tenant}`.

{start}3. *vCenter Root CA Certificate*, *Next*. The certificate shown must be the one in `client-ca.pem`.
4. *Done*.

"
        ),
    }
}

/// powercli.ps1: the same through the vSphere API (CryptoManagerKmip, since 6.5), which is the same in all PowerCLI
/// versions.
pub(super) fn powercli(pack: &Pack) -> String {
    let Pack { name, tenant, host, port, server_sha1, .. } = pack;
    let trust = match pack.way {
        Way::Issued => {
            "# The KMS trusts vCenter: vCenter takes the certificate and key that were issued for it.
$crypto.UploadClientCert($id, (Read-Pem 'cert.pem'), (Read-Pem 'key.pem'))"
                .to_owned()
        }
        Way::Csr => {
            "# The KMS trusts vCenter: vCenter takes the certificate that was made from its newest request.
$crypto.UpdateKmsSignedCsrClientCert($id, (Read-Pem 'cert.pem'))"
                .to_owned()
        }
        Way::Pinned => {
            "# The KMS trusts vCenter: vCenter uses the self-signed certificate that the KMS knows.
# (To get it in the first place: $crypto.GenerateSelfSignedClientCert($id))
$crypto.UpdateSelfSignedClientCert($id, (Read-Pem 'cert.pem'))"
                .to_owned()
        }
        Way::Ca => {
            "# The KMS trusts vCenter: it knows the CA of vCenter's own certificate, nothing is left to do."
                .to_owned()
        }
    };
    format!(
        "# Makes the key provider '{tenant}' known to a vCenter, as client {name}. Needs PowerCLI.
#   pwsh ./powercli.ps1 -VCenter vcenter.example.test [-Default]
param(
    [Parameter(Mandatory = $true)] [string] $VCenter,
    [string] $Provider = '{tenant}',
    [string] $Address = '{host}',
    [int] $Port = {port},
    [switch] $Default
)
$ErrorActionPreference = 'Stop'
function Read-Pem([string] $File) {{ Get-Content -Raw -Path (Join-Path $PSScriptRoot $File) }}

Connect-VIServer -Server $VCenter | Out-Null
$crypto = Get-View -Id (Get-View ServiceInstance).Content.CryptoManager
$id = New-Object VMware.Vim.KeyProviderId
$id.Id = $Provider

$known = $crypto.ListKmipServers($null) | Where-Object {{ $_.ClusterId.Id -eq $Provider }}
if (-not $known) {{
    $server = New-Object VMware.Vim.KmipServerSpec
    $server.ClusterId = $id
    $server.Info = New-Object VMware.Vim.KmipServerInfo
    $server.Info.Name = 'kms'
    $server.Info.Address = $Address
    $server.Info.Port = $Port
    $crypto.RegisterKmipServer($server)
}}

# vCenter trusts the KMS: exactly the certificate in server.pem, SHA-1
# {server_sha1}
$crypto.UploadKmipServerCert($id, (Read-Pem 'server.pem'))

{trust}

if ($Default) {{ $crypto.MarkDefault($id) }}
Write-Host \"Key provider $Provider is set up; the vSphere Client shows its status under Key Providers.\"
"
    )
}

/// govc.sh: the same with govc, as far as it goes.
pub(super) fn govc(pack: &Pack) -> String {
    let Pack { name, tenant, host, port, .. } = pack;
    let trust = match pack.way {
        Way::Issued => "# The KMS trusts vCenter.
govc kms.trust -client-cert \"$(cat cert.pem)\" -client-key \"$(cat key.pem)\" \"$provider\""
            .to_owned(),
        Way::Csr | Way::Pinned => "# govc has no command for vCenter's own certificate or request: for the other direction run powercli.ps1, or
# follow step 2 of CLICKS.md.
echo 'Next: powercli.ps1, or step 2 of CLICKS.md'"
            .to_owned(),
        Way::Ca => "# The KMS knows the CA of vCenter's own certificate: nothing is left to do for the other direction.".to_owned(),
    };
    format!(
        "#!/bin/sh
# Makes the key provider '{tenant}' known to a vCenter, as client {name}. Needs govc, with GOVC_URL, GOVC_USERNAME and
# GOVC_PASSWORD set.
set -eu
cd \"$(dirname \"$0\")\"
provider=${{1:-{tenant}}}

govc kms.ls \"$provider\" >/dev/null 2>&1 || govc kms.add -n kms -a '{host}' -p {port} \"$provider\"

# vCenter trusts the KMS.
govc kms.trust -server-cert \"$(cat server.pem)\" \"$provider\"

{trust}

# To make it the default: govc kms.default \"$provider\"
govc kms.ls \"$provider\"
"
    )
}

/// ansible.yml: the same with the community.vmware collection, as far as it goes.
pub(super) fn ansible(pack: &Pack) -> String {
    let Pack { name, tenant, host, port, server_sha1, .. } = pack;
    let trust = match pack.way {
        Way::Issued => "        make_kms_trust_vc:
          upload_client_cert: \"{{ playbook_dir }}/cert.pem\"
          upload_client_key: \"{{ playbook_dir }}/key.pem\"
",
        Way::Csr => "        make_kms_trust_vc:
          upload_kms_signed_client_csr: \"{{ playbook_dir }}/cert.pem\"
",
        Way::Pinned => "        # The KMS knows vCenter's certificate already; see step 2 of CLICKS.md for vCenter's side.
",
        Way::Ca => "        # The KMS knows the CA of vCenter's own certificate already.
",
    };
    format!(
        "# Makes the key provider '{tenant}' known to a vCenter, as client {name}. Needs the collection community.vmware.
#   ansible-playbook ansible.yml -e vcenter_hostname=... -e vcenter_username=... -e vcenter_password=...
# The module trusts whatever certificate answers at the address: compare it afterwards, SHA-1
# {server_sha1}
- name: Key provider {tenant}
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Add the standard key provider
      community.vmware.vcenter_standard_key_provider:
        hostname: \"{{{{ vcenter_hostname }}}}\"
        username: \"{{{{ vcenter_username }}}}\"
        password: \"{{{{ vcenter_password }}}}\"
        name: \"{tenant}\"
        state: present
        kms_info:
          - kms_name: kms
            kms_ip: \"{host}\"
            kms_port: {port}
{trust}"
    )
}

#[cfg(test)]
mod tests {
    use certs::{AltName, Authority, KeyKind, Profile, Subject};

    use super::*;
    use crate::admin::{Client, Right, Trust};

    const NOW: i64 = 1_772_000_000;

    fn pack(way: Way) -> (Pack, String) {
        let authority = Authority::create("KMS CA", KeyKind::P256, NOW, 3650).unwrap();
        let subject = Subject {
            common_name: "kms.example.test".into(),
            alt_names: vec![AltName::Dns("kms.example.test".into())],
        };
        let server = authority.issue(Profile::Server, &subject, KeyKind::P256, NOW).unwrap();
        let issued = authority.issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, NOW).unwrap();
        let sha1 = certs::inspect(server.cert_pem.as_bytes()).unwrap().sha1;
        let client = Client {
            name: "vc01".into(),
            tenant: "prod".into(),
            rights: vec![Right::Read],
            trust: Trust {
                kind: way,
                subject: "CN=vc01".into(),
                issuer: "CN=KMS CA".into(),
                sha1: String::new(),
                sha256: String::new(),
                not_before: String::new(),
                not_after: String::new(),
            },
            user: None,
            device: None,
            created: String::new(),
        };
        let key = (way == Way::Issued).then_some(&issued.key_pem);
        let chain = format!("{}{}", server.cert_pem, authority.cert_pem().unwrap());
        let ca_pem = authority.cert_pem().unwrap();
        let pack =
            Pack::new(&client, "kms.example.test:5697", &chain, &ca_pem, &issued.cert_pem, key).unwrap();
        (pack, sha1)
    }

    const WAYS: [Way; 4] = [Way::Issued, Way::Csr, Way::Pinned, Way::Ca];

    #[test]
    fn every_text_names_provider_address_and_port() {
        for way in WAYS {
            let (pack, sha1) = pack(way);
            for text in [clicks(&pack), powercli(&pack), govc(&pack), ansible(&pack)] {
                for part in ["prod", "kms.example.test", "5697"] {
                    assert!(text.contains(part), "{way}: no {part} in {text}");
                }
            }
            assert!(clicks(&pack).contains(&sha1), "{way}");
        }
    }

    #[test]
    fn each_way_is_the_choice_of_that_name_in_the_vsphere_client() {
        let choices = [
            (Way::Issued, "KMS certificate and private key", "UploadClientCert"),
            (Way::Csr, "New Certificate Signing Request", "UpdateKmsSignedCsrClientCert"),
            (Way::Pinned, "vCenter Certificate", "UpdateSelfSignedClientCert"),
            (Way::Ca, "vCenter Root CA Certificate", "nothing is left to do"),
        ];
        for (way, choice, call) in choices {
            let (pack, _) = pack(way);
            assert!(clicks(&pack).contains(choice), "{way}");
            assert!(powercli(&pack).contains(call), "{way}");
        }
    }

    #[test]
    fn a_script_names_only_files_that_the_pack_holds() {
        for way in WAYS {
            let (pack, _) = pack(way);
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("pack");
            pack.write(&out).unwrap();
            for text in [clicks(&pack), powercli(&pack), govc(&pack), ansible(&pack)] {
                for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))) {
                    let is_file = word.ends_with(".pem") && word != "NEW.pem";
                    assert!(!is_file || out.join(word).exists(), "{way}: {word} is not there");
                }
            }
        }
    }

    #[test]
    fn a_private_key_is_in_its_own_private_file_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (pack, _) = pack(Way::Issued);
        let dir = tempfile::tempdir().unwrap();
        pack.write(&dir.path().join("pack")).unwrap();
        for entry in std::fs::read_dir(dir.path().join("pack")).unwrap() {
            let path = entry.unwrap().path();
            let holds_key = std::fs::read_to_string(&path).unwrap().contains("PRIVATE KEY-----");
            assert_eq!(holds_key, path.ends_with("key.pem"), "{}", path.display());
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode == 0o600, holds_key, "{}", path.display());
        }
    }
}
