use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// A record that outlives the file it was read from.
#[derive(Debug)]
struct Written {
    shown: String,
    owner: String,
    record_type: RecordType,
    data: String,
}

type Read = (Vec<Written>, Vec<Line<BadEntry>>);

/// Reads `main` among these files.
fn read_with(text: &str, others: &[(&str, &str)]) -> ZoneFile {
    let files: HashMap<PathBuf, String> = others
        .iter()
        .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
        .chain([(PathBuf::from("dir/main"), text.to_owned())])
        .collect();
    let read = |path: &Path, _: u64| {
        let text = files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(text.as_bytes().to_vec())
    };
    ZoneFile::read(Path::new("dir/main"), &"z.".parse().unwrap(), &Library::new(&read)).unwrap()
}

fn read(text: &str) -> Read {
    let file = read_with(text, &[]);
    let written = |it: Line<Record<'_>>| Written {
        shown: shown(&it),
        owner: it.value.owner.to_string(),
        record_type: it.value.record_type,
        data: hexadecimal(it.value.data),
    };
    let records = file.lines().map(written).collect();
    (records, file.bad)
}

fn hexadecimal(data: &[u8]) -> String {
    data.iter().map(|it| format!("{it:02x}")).collect()
}

/// `line owner ttl type data`, data in hexadecimal.
fn shown(Line { spot, value }: &Line<Record<'_>>) -> String {
    let data = hexadecimal(value.data);
    format!("{} {} {} {} {data}", spot.line, value.owner, value.ttl, value.record_type)
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let (records, bad) = read(text);
    assert_eq!(bad, []);
    assert_eq!(records.iter().map(|it| &*it.shown).collect::<Vec<_>>(), expected, "{text}");
}

/// The data of each type as text, and the same in hexadecimal.
#[track_caller]
fn same(record: &str, expected: &str) {
    let (records, bad) = read(&format!("x {record}"));
    let told: Vec<&str> = bad.iter().map(|it| it.value.why.as_str()).collect();
    assert_eq!(told, [""; 0], "{record}");
    let Written { record_type, data, .. } = &records[0];
    assert_eq!(*data, expected.replace(' ', ""), "{record}");
    let generic = format!("x {record_type} \\# {} {data}", data.len() / 2);
    let (again, bad) = read(&generic);
    assert_eq!((&bad, again.first().map(|it| &it.data)), (&vec![], Some(data)), "{generic}");
}

#[test]
fn names_ttls_and_lines_are_those_of_the_text() {
    check("a A 192.0.2.1", &["1 a.z. 3600 A c0000201"]);
    check(
        "A.z. 5 IN A 192.0.2.1\r\n\r\n IN 6 A 192.0.2.2\r\n",
        &["1 a.z. 5 A c0000201", "3 a.z. 6 A c0000202"],
    );
    check("$TTL 9\n@ 5 NS n\n@ NS N.Y.\n", &["2 z. 5 NS 016e017a00", "3 z. 9 NS 014e015900"]);
    check("a 7 A 192.0.2.1\nb A 192.0.2.1", &["1 a.z. 7 A c0000201", "2 b.z. 7 A c0000201"]);
    check("$ORIGIN x\na A 192.0.2.1\n", &["2 a.x.z. 3600 A c0000201"]);
    check("*.w TYPE65 \\# 3 000100 ; comment ( \"\n", &["1 *.w.z. 3600 HTTPS 000100"]);
    check(
        "a TXT ( \"x;(\" ; \"\n y\n )\nb TXT \"\\\"\"\n",
        &["1 a.z. 3600 TXT 03783b280179", "4 b.z. 3600 TXT 0122"],
    );
    check(
        "$ttl 1h30m\na 1d A 192.0.2.1\nin CLASS1 a 192.0.2.1",
        &["2 a.z. 86400 A c0000201", "3 in.z. 5400 A c0000201"],
    );
    check(
        "\\$x\\.y A 192.0.2.1\n\"q\" ( TYPE1\n192.0.2.1 )",
        &["1 \\$x\\.y.z. 3600 A c0000201", "2 q.z. 3600 A c0000201"],
    );
    check("; only\n\n  ; comments\n", &[]);
}

#[test]
fn every_wrong_entry_is_told_with_its_line_and_hides_no_other() {
    for (text, line, expected) in [
        ("\nb A nonsense", 3, "`nonsense` stands where an IPv4 address"),
        ("\nb\n", 3, "data is incomplete: a record type"),
        ("b MX 10", 2, "data is incomplete: a name is missing"),
        ("b CH A 192.0.2.1", 2, "only class IN is served"),
        ("b CLASS2 A 192.0.2.1", 2, "only class IN is served"),
        ("b 1h30 A 192.0.2.1", 2, "`1h30` stands where a TTL"),
        ("b 4294967295 A 192.0.2.1", 2, "at most 2147483647"),
        ("$TTL 2147483648", 2, "at most 2147483647"),
        ("b BOGUS 192.0.2.1", 2, "after the name come a TTL, IN and a record type"),
        ("b TYPE0 \\# 0", 2, "record type"),
        ("b A 192.0.2.1 extra", 2, "more than this type's data, from `extra` on"),
        ("b TXT ( x", 2, "open at the end"),
        ("b TXT \"x", 2, "a quote is open at the end of the line"),
        ("b TXT ) x", 2, "not opened"),
        ("b.. A 192.0.2.1", 2, "the name `b..` has an empty label"),
        ("b NS c..d", 2, "two dots in a row"),
        ("bü A 192.0.2.1", 2, "xn--"),
        ("b NS \\# 2 c000", 2, "no data of NS"),
        ("b TYPE65280 x", 2, "written as `\\#`"),
        ("b TYPE65280 \\# 2 00", 2, "2 octets are said, and 1 are there"),
        ("b TYPE65280 \\# 1 0", 2, "hexadecimal"),
        ("b TXT a\\256", 2, "broken escape"),
        ("$INCLUDE other", 2, "can't be read"),
        ("$INCLUDE main", 2, "includes itself"),
        ("$INCLUDE", 2, "the path of a file is missing"),
        ("$BOGUS", 2, "no directive; write $ORIGIN"),
        ("$ORIGIN a b", 2, "more than"),
        ("$GENERATE", 2, "write a range such as 1-100"),
        ("$GENERATE 2-1 a A 192.0.2.1", 2, "`2-1` stands where a range"),
        ("$GENERATE 0-2147483647 a A 192.0.2.1", 2, "at most 1048576 records"),
        ("$GENERATE 1-300 a$ A 192.0.2.$", 2, "as \"a256 A 192.0.2.256\", `192.0.2.256` stands"),
    ] {
        let (records, bad) = read(&format!("a A 192.0.2.1\n{text}\n\nc A 192.0.2.1"));
        let told = bad.first().map(|it| (it.spot.line, it.value.why.as_str()));
        assert!(
            matches!(told, Some((at, why)) if at == line && why.contains(expected)),
            "{text}: {bad:?}"
        );
        let swallowed = expected == "open at the end";
        let is_last = records.last().is_some_and(|it| it.owner == "c.z.");
        assert_eq!((is_last, bad.len()), (!swallowed, 1), "{text}: {records:?}");
    }
    let (_, bad) = read(" A 192.0.2.1");
    assert!(bad[0].value.why.contains("goes with the name before it"), "{bad:?}");
}

#[test]
fn files_include_files_with_a_scope_of_their_own() {
    let file = read_with(
        "$TTL 5\na A 192.0.2.1\n$INCLUDE sub/b b ; comment\n A 192.0.2.4\nc A 192.0.2.5\n",
        &[
            ("dir/sub/b", "@ A 192.0.2.2\n$TTL 6\n$ORIGIN d\n$INCLUDE \"../e\"\nbad A x\n"),
            ("dir/sub/../e", " A 192.0.2.3\n"),
        ],
    );
    let shown: Vec<String> = file
        .lines()
        .map(|it| format!("{}: {}", file.at(it.spot).file.display(), shown(&it)))
        .collect();
    assert_eq!(
        shown,
        [
            "dir/main: 2 a.z. 5 A c0000201",
            "dir/sub/b: 1 b.z. 5 A c0000202",
            "dir/sub/../e: 1 b.z. 6 A c0000203",
            "dir/main: 4 a.z. 5 A c0000204",
            "dir/main: 5 c.z. 5 A c0000205",
        ]
    );
    let told: Vec<String> = file.bad.iter().map(|it| file.at(it.spot).to_string()).collect();
    assert_eq!(told, ["dir/sub/b:5"]);
}

#[test]
fn included_files_are_bounded() {
    let files: Vec<(String, String)> =
        (0..20).map(|it| (format!("dir/{it}"), format!("$INCLUDE {}\n", it + 1))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let file = read_with("$INCLUDE 0\n", &files);
    let told: Vec<String> = file.bad.iter().map(|it| file.at(it.spot).to_string()).collect();
    assert_eq!(
        (told, file.bad[0].value.why.as_str()),
        (vec!["dir/9:1".to_owned()], "files are included at most 10 deep")
    );
    let wide = "$INCLUDE a\n".repeat(MOST_INCLUDED + 5);
    assert_eq!(read_with(&wide, &[("dir/a", "")]).bad.len(), 5);
}

#[test]
fn numbers_make_records() {
    check("$GENERATE 1-2 a$ 5 A 192.0.2.$\n", &["1 a1.z. 5 A c0000201", "1 a2.z. 5 A c0000202"]);
    check("$GENERATE 9-9 m MX \"$ a.b.\"", &["1 m.z. 3600 MX 00090161016200"]);
    check("$GENERATE 9-9 t TXT \"\\\"$ b\\\"\"", &["1 t.z. 3600 TXT 03392062"]);
    check("$GENERATE 9-9 t TXT \"$ b\" c", &["1 t.z. 3600 TXT 033920620163"]);
    check("$GENERATE 255-256/2 ${-1,5,n} PTR \\$", &["1 e.f.0.z. 3600 PTR 0124017a00"]);
}

#[test]
fn parts_of_data_are_read() {
    let sha1 = "11".repeat(20);
    for (record, expected) in [
        ("A 192.0.2.1", "c0000201"),
        ("NULL \\# 2 00ff", "00ff"),
        (
            "SOA n h 1 1h 2M 3 0",
            "016e017a00 0168017a00 00000001 00000e10 00000078 00000003 00000000",
        ),
        ("WKS 192.0.2.1 tcp smtp 53", "c0000201 06 00000040 000004"),
        ("WKS 192.0.2.1 UDP", "c0000201 11"),
        ("TXT a\\044b \"\" é", "03612c62 00 02c3a9"),
        ("ISDN 1 2", "0131 0132"),
        ("NSAP 0x47.0005.80", "47000580"),
        (
            "SIG A RSASHA1 2 1h 20380119031408 19700101000001 7 . AQ==",
            "0001 05 02 00000e10 80000000 00000001 0007 00 01",
        ),
        (
            "RRSIG TYPE65280 13 2 5 4294967295 0 7 . AQID",
            "ff00 0d 02 00000005 ffffffff 00000000 0007 00 010203",
        ),
        ("KEY 49152 3 8", "c000 03 08"),
        ("NXT a A NS NXT", "0161017a00 60000002"),
        ("LOC 42 21 54 N 71 06 18 W -24m 30m", "00 33 16 13 89172dd0 70be15f0 00988d20"),
        ("LOC 1 S 2 0 0.001 E 0.5 1 2.5 100000m", "00 12 22 17 7fc911 80 806ddd01 009896b2"),
        ("CERT PKIX 1 RSASHA256 AQID", "0001 0001 08 010203"),
        ("CERT 65535 1 0 AQ ID", "ffff 0001 00 010203"),
        (
            "APL 1:192.0.2.0/24 !2:2001:db8::/32 1:0.0.0.0/0",
            "0001 18 03 c00002 0002 20 84 20010db8 0001 00 00",
        ),
        ("APL", ""),
        (&format!("DS 1 ED25519 1 {sha1}"), &format!("0001 0f 01 {sha1}")),
        ("CDS 0 0 0 00", "0000 00 00 00"),
        ("IPSECKEY 1 0 0 .", "01 00 00"),
        ("IPSECKEY 1 1 2 192.0.2.1 AQID", "01 01 02 c0000201 010203"),
        ("IPSECKEY 1 2 2 ::1 AQ==", "01 02 02 00000000000000000000000000000001 01"),
        ("IPSECKEY 1 3 2 a AQ==", "01 03 02 0161017a00 01"),
        (
            "NSEC a TYPE1234 A NS A",
            "0161017a00 0001 60 04 1b 0000000000000000000000000000000000000000000000000000 20",
        ),
        ("NSEC3 1 0 1 - 04HG A", "01 00 0001 00 02 0123 0001 40"),
        ("NSEC3PARAM 1 0 1 abCD", "01 00 0001 02 abcd"),
        ("HIP 2 200100 AQID a b.", "03 02 0003 200100 010203 0161017a00 016200"),
        (
            "CSYNC 66 3 A AAAA",
            "00000042 0003 0004 4000 0008".replace("0003 0004", "0003 00 04").as_str(),
        ),
        ("NID 10 14:4fff:ff20:ee64", "000a 00144fffff20ee64"),
        ("EUI48 00-00-5e-00-53-2A", "00005e00532a"),
        ("URI 10 1 \"ftp://x/\"", "000a 0001 6674703a2f2f782f"),
        ("CAA 128 iodef \"\"", "80 05 696f646566"),
        ("DOA 1 2 3 \"\" -", "00000001 00000002 03 00"),
        ("AMTRELAY 10 1 0 .", "0a 80"),
        ("AMTRELAY 10 0 3 a", "0a 03 0161017a00"),
        ("SVCB 0 a", "0000 0161017a00"),
        (
            "HTTPS 1 . port=1 alpn=\"h2,f\\\\\\\\o\\\\,o\" mandatory=port,alpn",
            "0001 00 0000 0004 0001 0003 0001 0009 02 6832 05 665c6f2c6f 0003 0002 0001",
        ),
        (
            "HTTPS 1 . key65000=\"a b\" no-default-alpn alpn=h3 key7=/{?dns}",
            "0001 00 0001 0003 02 6833 0002 0000 0007 0007 2f7b3f646e737d fde8 0003 612062",
        ),
        (
            "HTTPS 1 . ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=::1 ech=AQID ohttp tls-supported-groups=29",
            "0001 00 0004 0008 c0000201 c0000202 0005 0003 010203 0006 0010 00000000000000000000000000000001 0008 0000 0009 0002 001d",
        ),
    ] {
        same(record, expected);
    }
}

#[test]
fn parts_of_data_are_checked() {
    let long = "a".repeat(256);
    for record in [
        "A 192.0.2",
        "A \\# 5 c000020100",
        "AAAA 1.2.3.4",
        "MX 65536 a",
        "MX -1 a",
        "MX \\# 2 000a",
        "MX \\# 4 000ac000",
        &format!("TXT {long}"),
        "TXT",
        "TXT \\# 0",
        "TXT \\# 2 0201",
        "DS 1 8 2 0102",
        "DS \\# 6 000108020102",
        "DS 1 8 2",
        "SSHFP 1 1 01",
        "ZONEMD 1 1 1 00",
        "TLSA 1 1 1 0",
        "LOC 91 N 0 E 0",
        "LOC 90 0 1 N 0 E 0",
        "LOC 1 60 N 0 E 0",
        "LOC 1 N 1 N 0",
        "LOC 1 N 1 E",
        "LOC 1 N 1 E 0 1 1 1 1",
        "LOC 1 N 1 E -100001",
        "LOC 1 0.5 N 1 E 0",
        "APL 1:192.0.2.0/33",
        "APL 3:x/1",
        "APL 1:192.0.2.0",
        "APL \\# 5 000118 01 00",
        "EUI48 00-00-5e-00-53",
        "EUI48 0-0-0-0-0-0",
        "EUI64 00-00-5e-00-53-2a",
        "NID 1 1:2:3",
        "NID 1 1:2:3:12345",
        "NSAP 47",
        "NSAP 0x",
        "DNSKEY 256 3 8",
        "DNSKEY 256 3 BOGUS AQID",
        "DNSKEY 256 3 8 AQI",
        "RRSIG A 8 2 5 20301301000000 0 7 . AQ==",
        "NSEC a BOGUS",
        "NSEC \\# 5 00 00 01 00 00",
        "NXT a TYPE128",
        "NSEC3 1 0 1 - w A",
        "CAA 0 is-sue x",
        "CAA 0 \"\" x",
        "IPSECKEY 1 4 2 a AQ==",
        "IPSECKEY 1 0 0 a",
        "IPSECKEY 1 1 2 ::1 AQ==",
        "IPSECKEY \\# 3 010402",
        "AMTRELAY 1 2 0 .",
        "AMTRELAY 1 0 1 a",
        "HIP 2 00",
        "HIP 2 xx AQ==",
        "HIP \\# 4 05020001",
        "WKS 192.0.2.1",
        "WKS 192.0.2.1 tcp bogus",
        "SVCB 1 . alpn",
        "SVCB 1 . bogus=1",
        "SVCB 1 . key65535",
        "SVCB 1 . port=65536",
        "SVCB 1 . port=1 port=2",
        "SVCB 1 . mandatory=port",
        "SVCB 1 . mandatory=mandatory",
        "SVCB 1 . no-default-alpn",
        "SVCB 1 . mandatory=port,port port=1",
        "SVCB 1 . ipv4hint=::1",
        "SVCB 1 . ipv4hint=",
        "SVCB 1 . alpn=a,,b",
        "SVCB 1 . ohttp=1",
        "SVCB 1 . dohpath=/q",
        "SVCB 1 . alpn= h2",
        "SVCB \\# 11 0001 00 0003 0002 0001 0001",
        "SVCB \\# 7 000100 0003 0001",
        "GPOS 1 2",
        "HINFO a",
        "X25",
        "DOA 1 2 3 \"\" x",
    ] {
        let (records, bad) = read(&format!("x {record}"));
        assert_eq!((records.len(), bad.len()), (0, 1), "{record}");
    }
}

fn token() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "@",
        "a",
        "a.b.",
        ".",
        "*",
        "IN",
        "CH",
        "60",
        "A",
        "AAAA",
        "NS",
        "SOA",
        "TXT",
        "MX",
        "CAA",
        "SVCB",
        "HTTPS",
        "SRV",
        "TYPE65280",
        "\\#",
        "4",
        "c0000201",
        "192.0.2.1",
        "::1",
        "\"",
        "\"a b\"",
        "(",
        ")",
        ";",
        "\n",
        "\n ",
        "\r\n",
        "$TTL",
        "$ORIGIN",
        "$INCLUDE",
        "main",
        "$GENERATE",
        "1-3",
        "${1,2,n}",
        "$",
        "\\",
        "\\1",
        "\\255",
        "\\300",
        "\\@",
        "key65=\"x\"",
        "alpn=h2",
        "=",
        "é",
        "DS",
        "NAPTR",
        "DNSKEY",
        "NSEC3",
        "RRSIG",
        "TLSA",
        "SSHFP",
        "LOC",
        "APL",
        "HIP",
        "IPSECKEY",
        "WKS",
        "URI",
        "HINFO",
        "DNAME",
        "CNAME",
        "PTR",
        "ZONEMD",
        "OPENPGPKEY",
        "ff",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => "\\PC{0,8}", 1 => any::<String>()]
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        tokens in prop::collection::vec((token(), prop::bool::weighted(0.8)), 0..24),
    ) {
        let text: String =
            tokens.into_iter().map(|(token, space)| token + if space { " " } else { "" }).collect();
        reads_back(&read_with(&text, &[]));
    }
}

/// Every record's data, shown as text, is that data again.
#[track_caller]
fn reads_back(file: &ZoneFile) {
    for record in file.records() {
        let shown = presentation(record.record_type, record.data);
        let text = format!("a 1 {} {shown}", record.record_type);
        let again = read_with(&text, &[]);
        let data: Vec<&[u8]> = again.records().map(|it| it.data).collect();
        assert!(again.bad.is_empty(), "{text}: {:?}", again.bad);
        assert_eq!(data, [record.data], "{text}");
    }
}

#[test]
fn data_is_shown_as_it_is_written() {
    let all = include_str!("../../../tests/data/types.zone");
    let file = read_with(all, &[]);
    assert!(file.bad.is_empty() && file.records().len() > 70);
    reads_back(&file);
    for (record_type, data) in [
        ("A", "192.0.2.1"),
        ("AAAA", "2001:db8::1"),
        ("MX", "10 mail.z."),
        ("SOA", "ns.z. hostmaster.z. 7 3600 600 604800 60"),
        ("TXT", r#""two words" "" "\"q\" \\ ; \255""#),
        ("CAA", r#"0 issue "ca.example; account=1""#),
        ("SRV", "1 2 5060 a.b.example."),
        ("DS", "12345 13 2 0102030405060708091011121314151617181920212223242526272829303132"),
        ("NSEC", "a.example. A NS TYPE1234"),
        ("NSEC3", "1 0 10 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG"),
        ("EUI48", "00-00-5e-00-53-2a"),
        ("NID", "10 0014:4fff:ff20:ee64"),
        ("IPSECKEY", "10 3 2 a.example. AQID"),
        ("AMTRELAY", "10 1 1 192.0.2.1"),
        (
            "HTTPS",
            r#"16 a.example. mandatory=alpn,port alpn="h2,h3" port=8004 ipv6hint=2001:db8::1,2001:db8::2 key65333="x""#,
        ),
        ("TYPE65400", "\\# 3 010203"),
    ] {
        let file = read_with(&format!("a 1 {record_type} {data}"), &[]);
        let shown: Vec<String> =
            file.records().map(|it| presentation(it.record_type, it.data)).collect();
        assert_eq!(shown, [data], "{:?}", file.bad);
    }
}
