"""URLs that must reach nothing, by trick, and URLs that must pass. Where only the host matters, the host alone."""

from typing import NamedTuple

# Spellings that some parser or resolver takes for an address inside, or for another host than it seems; refused even
# where the operator allows everything.
HOSTS = {
    "an address as one number": [
        "2130706433", "2852039166", "167772161", "3232235521", "0", "00002130706433", "4294967296", "6425673729",
    ],
    "an address in octal": [
        "0177.0.0.1", "017700000001", "0177.0.0.01", "0251.0376.0251.0376", "012.0.0.1", "0300.0250.0.1",
        "025177524776", "00000000.0.0.1", "01.1.1.1", "1.1.1.01",
    ],
    "an address in hexadecimal": [
        "0x7f000001", "0X7F000001", "0x7f.0x0.0x0.0x1", "0xa9fea9fe", "0xA9.0xFE.0xA9.0xFE", "0x0a000001",
        "0xc0.0xa8.0.1", "127.0.0.0x1", "0x0000000007f000001", "0x", "1.1.1.0x",
    ],
    "an address cut short": ["127.1", "127.0.1", "10.1", "169.254.43518", "192.168.1", "1.1.1", "0.0", "127.65535"],
    "an address in several bases": ["0x7f.1", "0x7f.0.0.01", "0177.0x0.0.1", "169.0376.0xa9.254"],
    "a number too many or too large": [
        "256.1.1.1", "1.1.1.256", "1.1.1.1.1", "127.0.0.1.1", "-1.1.1.1", "+127.0.0.1", "1e3.0.0.1",
        "127.0.0.1.example.1", "example.com.1", "example.0x7f", "a.1",
    ],
    "a dot at the end": [
        "127.0.0.1.", "127.0.0.1..", "169.254.169.254.", "93.184.215.14.", "2130706433.", "0x7f.1.", "127.1.",
        "0.0.0.0.",
    ],
    "digits of another script": [
        "\uff11\uff12\uff17.0.0.1", "\uff12\uff11\uff13\uff10\uff17\uff10\uff16\uff14\uff13\uff13",
        "\uff10\uff587f000001", "\u2460\u2461\u2466.0.0.1", "127.0.0.\u2460", "\u00b9\u00b2\u2077.0.0.1",
        "1.1.1.\u00b9",
        "\u2081\u2082\u2087.0.0.1", "\U0001d7cf\U0001d7d0\U0001d7d5.0.0.1", "\u0661\u0662\u0667.0.0.1",
        "\u2474.0.0.1", "\u0661.1.1.1",
    ],
    "dots of another script": [
        "127\u30020\u30020\u30021", "127\uff0e0\uff0e0\uff0e1", "127\uff610\uff610\uff611", "127\u20240\u20240\u20241",
        "127.0.0\u30021", "\u2488\u2488\u2488\u2488",
    ],
    "signs that turn into delimiters": [
        "example.com\uff0fx.example", "example.com\uff20x.example", "example.com\uff1a80", "example.com\uff1fx",
        "example.com\uff03x", "example.com\uff3cx", "\u2100.example", "evil.c\u2100.example", "a\u2048b.example",
        "x\u2488.example",
    ],
    "names that are not international": [
        "xn--a", "xn--a.example", "xn--.example", "xn--0.example", "\u2603.example", "a\u0301\u0301\u200b.example",
        "\u0300a.example", "\u05d0a1.example", "\u00fc" * 64 + ".example", "\u00fc" * 1000 + ".example",
    ],
    "percent-encoded hosts": [
        "%6c%6f%63%61%6c%68%6f%73%74", "127%2e0%2e0%2e1", "%31%32%37.0.0.1", "exa%6dple.com",
        "127.0.0.1%00.example.com",
        "example.com%00.127.0.0.1", "%5b::1%5d", "%EF%BC%91.0.0.1", "10.0.0.1%20", "%00", "%",
        "example.com%0d%0aHost:%20internal", "localhost%2eexample.com", "example.com%2f", "%252e.example",
    ],
    "signs that no name has": [
        "ex*mple.com", "*.example.com", "exa$mple.com", "example.com,10.0.0.1", "example.com;10.0.0.1", "exa'mple.com",
        'exa"mple.com', "<script>.example", "exa^mple.com", "exa`mple.com", "{x}.example", "exa!mple.com",
        "(x).example",
        "~.example", "a=b.example", "a&b.example", "a+b.example", "a|b.example",
    ],
    "dots and hyphens out of place": [
        ".", "..", ".example.com", "example..com", "example.com..", "-example.com", "example-.com", "-.example",
        "127..0.0.1", ".127.0.0.1",
    ],
    "over-long names": [f"{'a' * 64}.com", f"{'a.' * 126}com", "a" * 254, "a." * 500 + "example"],
    "malformed IPv6": [
        "[::1", "::1", "::1]", "[]", "[:]", "[1.2.3.4]", "[127.1]", "[v1.fe80]", "[[::1]]", "[::1]x",
        "[::1].example.com",
        "x[::1]", "[2606::1::1]", "[:::1]", "[::ffff:127.0.0.256]", "[::ffff:0x7f.0.0.1]", "[::127.1]", "[12345::1]",
        "[1:2:3:4:5:6:7:8:9]", "[::g]", "[::1][::1]", "[ ::1]", "[::ffff:0177.0.0.1]", "[\uff1a\uff1a1]",
    ],
    "IPv6 with a zone": [
        "[fe80::1%25eth0]", "[fe80::1%eth0]", "[fe80::1%2]", "[::1%25lo]", "[::1%1]", "[2606:2800::1%25eth0]",
        "[fe80::a9fe:a9fe%252]", "[2606:2800::1%]",
    ],
}  # fmt: skip

# Names that only have a meaning inside a network; refused until a network is allowed.
INTERNAL = {
    "names that only mean something inside": [
        "LOCALHOST", "localhost", "localhost.", "a.localhost", "localhost.localdomain", "redis", "postgres",
        "intranet", "ip6-localhost",
        "printer.local", "db.internal", "host.docker.internal", "kubernetes.default.svc.cluster.local", "nas.lan",
        "router.home", "x.home.arpa", "git.corp", "app.private", "wiki.intranet",
    ],
    "names of metadata services": [
        "metadata", "metadata.google.internal", "metadata.google.internal.", "metadata\u3002google\u3002internal",
        "METADATA.GOOGLE.INTERNAL", "instance-data", "instance-data.ec2.internal",
    ],
    "letters that turn into others": [
        "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3", "\uff4cocalhost", "localho\u017ft",
        "\U0001d5c5ocalhost", "\u24e1edis", "metadata.google.\u24d8nternal", "printer.\uff4cocal",
    ],
}  # fmt: skip

# Addresses in proper spelling.
ADDRESSES = {
    "loopback": ["127.0.0.1", "127.255.255.254", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "[::]", "[0::0]"],
    "private": [
        "10.0.4.17", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "[fc00::1]",
        "[fd12:3456:789a::1]", "[fec0::1]",
    ],
    "link-local": ["169.254.0.1", "169.254.255.255", "[fe80::1]", "[febf::1]", "[fe80::5efe:10.0.0.1]"],
    "multicast and broadcast": [
        "224.0.0.1", "239.255.255.250", "255.255.255.255", "[ff02::1]", "[ff05::2]", "[ff0e::1]",
    ],
    "reserved": [
        "240.0.0.1", "192.0.0.1", "192.88.99.1", "198.18.0.1", "192.0.2.1", "198.51.100.7", "203.0.113.9",
        "[2001:db8::1]", "[100::1]", "[5f00::1]", "[3ffe::1]", "[3fff::1]", "[2001:2::1]", "[2001:20::1]", "[4000::1]",
    ],
    "mapped IPv4": [
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:10.0.0.1]", "[0:0:0:0:0:ffff:c0a8:101]", "[::ffff:0.0.0.0]",
    ],
    "compatible IPv4": ["[::127.0.0.1]", "[::7f00:1]", "[::10.0.0.1]", "[::8.8.8.8]"],
    "translated IPv4": ["[::ffff:0:127.0.0.1]", "[::ffff:0:8.8.8.8]"],
    "NAT64": ["[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::10.0.0.1]", "[64:ff9b::192.168.0.1]"],
    "NAT64 of a network's own": ["[64:ff9b:1::127.0.0.1]", "[64:ff9b:1::8.8.8.8]", "[64:ff9b:1:ffff::1]"],
    "6to4": ["[2002:7f00:1::]", "[2002:7f00:1::1]", "[2002:a00:1::1]", "[2002:c0a8:101::1]", "[2002:808:808::1]"],
    "Teredo": ["[2001::1]", "[2001:0:7f00:1::1]", "[2001:0:808:808:0:0:80ff:fffe]"],
}  # fmt: skip

# Where clouds keep credentials, in every form; refused even where the operator allows everything.
METADATA = [
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "[fd00:ec2::254]", "[fd20:ce::254]", "[fd00:c1::a9fe:a9fe]", "[fe80::a9fe:a9fe]", "[::ffff:169.254.169.254]",
    "[0:0:0:0:0:ffff:a9fe:a9fe]", "[::169.254.169.254]", "[::ffff:0:a9fe:a9fe]", "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1:ffff::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[2001:0:a9fe:a9fe::1]", "[::ffff:100.100.100.200]",
]  # fmt: skip

# Whole URLs; refused even where the operator allows everything.
URLS = {
    "no URL": [
        "", "#", "?", "/", "/hook", "://", "//example.com/", "example.com", "http", "http:", "http:/", "http://",
    ],
    "no host": [
        "http:///example.com", "https:///", "https://?x", "http:example.com", "http:127.0.0.1", "https:/example.com",
    ],
    "another scheme": [
        "ftp://example.com/", "file:///etc/passwd", "file://localhost/etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL",
        "dict://127.0.0.1:11211/", "ldap://10.0.0.1/", "sftp://10.0.0.1/", "tftp://10.0.0.1/x", "javascript:alert(1)",
        "data:text/html,x", "jar:http://127.0.0.1!/", "ws://example.com/", "wss://example.com/", "netdoc:///etc/passwd",
        "php://filter/x", "http+unix://%2fvar%2frun%2fdocker.sock/", "unix:///var/run/docker.sock",
        "httpx://example.com/",
        "view-source:http://127.0.0.1/", "url:http://127.0.0.1/", "mailto:me@example.com", "http2://example.com/",
        "http\u017f://example.com/", "\uff48ttp://example.com/", "h%74tp://example.com/", "http//example.com/",
    ],
    "user names": [
        "http://user@example.com/", "http://user:secret@example.com/", "http://@example.com/", "http://:@example.com/",
        "http://example.com@10.0.0.1/", "http://example.com:80@10.0.0.1/", "http://example.com%40@127.0.0.1/",
        "http://a@b@127.0.0.1/", "http://127.0.0.1@example.com/", "http://a:b@[::1]/",
        "http://example.com%2f@127.0.0.1/",
        "http://example.com&@127.0.0.1#@example.org/", "http://[::1]@example.com/",
    ],
    "backslashes": [
        "http://example.com\\@10.0.0.1/", "http:\\\\127.0.0.1\\", "http:/\\127.0.0.1/", "http:\\/127.0.0.1/",
        "http://127.0.0.1\\example.com/", "http://example.com\\.127.0.0.1/", "http:///\\127.0.0.1/",
        "http://example.com/\\..\\x", "http://\\\\127.0.0.1/",
    ],
    "fragments": ["http://example.com#@10.0.0.1/", "http://example.com/#x", "http://127.0.0.1#.example.com/"],
    "control characters": [
        "http://example.com/\r\nHost: internal", "http://example.com/ HTTP/1.1\r\nX: y", "http://example.com/\n",
        "http://example.com/\x00", "http://exam\x00ple.com/", "http://example.com\t/", "\thttp://example.com/",
        "ht\ntp://example.com/", "http://127.0.0.1\x00.example.com/", "http://example.com\r@127.0.0.1/",
        "http://example.com/\x7f", "http://example.com/\x85", "java\tscript:x", "http://127\n.0.0.1/",
    ],
    "spaces and invisible characters": [
        " http://example.com/", "http://example.com/ ", "http://exam ple.com/", "http://127.0.0.1 .example.com/",
        "http://example.com/\u00a0", "http://example.com/\u2028", "http://exa\u200bmple.com/",
        "http://exa\u200dmple.com/",
        "http://example.com/\u202e", "http://\ufeffexample.com/", "http://exa\u00admple.com/",
        "http://local\u00adhost/",
        "http://example.com/\ud800", "http://example.com/\ue000", "http://example.com/\uffff",
        "http://exa\u2060mple.com/",
        "http://example.com\u3000/", "http://127.0.0.\U000e00311/",
    ],
    "ports": [
        "http://example.com:0/", "http://example.com:65536/", "http://example.com:99999999999999999999/",
        "http://example.com:/", "http://example.com:-1/", "http://example.com:+80/", "http://example.com:080/",
        "http://example.com:80:81/", "http://example.com:http/", "http://example.com:\u0668\u0660/",
        "http://example.com:\uff18\uff10/", "http://example.com:8_0/", "http://example.com:0x50/",
        "http://example.com:1e3/",
        "http://example.com::80/", "http://[2606:2800::1]:/", "http://[2606:2800::1]:0/", "http://:80/",
        "http://example.com:80x/",
    ],
    "over-long URLs": [
        "https://example.com/" + "a" * 2029, "https://example.com/?" + "a" * 1_000_000, "h" * 3000,
        "http://" + "a" * 2048,
    ],
}  # fmt: skip

PUBLIC = "93.184.215.14"

# Names with nothing wrong about them, until they are looked up: (host, the address it has).
LEADING_INSIDE = [
    ("localtest.me", "127.0.0.1"), ("127.0.0.1.nip.io", "127.0.0.1"), ("7f000001.nip.io", "127.0.0.1"),
    ("169.254.169.254.nip.io", "169.254.169.254"), ("10-0-0-1.sslip.io", "10.0.0.1"), ("a.vcap.me", "127.0.0.1"),
    ("kubernetes.default.svc", "10.96.0.1"), ("consul.service.consul", "127.0.0.1"), ("unspecified.example", "0.0.0.0"),
    ("v6.example", "::1"), ("mapped.example", "::ffff:127.0.0.1"), ("nat64.example", "64:ff9b::a00:1"),
    ("unique.example", "fd00::1"), ("scoped.example", "fe80::1%eth0"), ("carrier.example", "100.64.0.1"),
    ("b\u00fccher.example", "192.168.1.1"), ("my_host.example.com", "172.16.0.1"), ("1.example.com", "10.0.0.1"),
    ("0x7f000001.example.com", "127.0.0.1"), ("localhost.example.com", "127.0.0.1"),
    ("\u0967\u0968\u096d.\u0966.\u0966.\u0967", "127.0.0.1"), ("example.com.", "::"),
]  # fmt: skip


class Legitimate(NamedTuple):
    """A URL that must pass, the Host header that it gives, where it connects to, and the path that is asked for."""

    url: str
    host: str
    address: str
    port: int
    path: str

    @property
    def name(self) -> str:
        """The host alone."""
        return self.host.removesuffix(f":{self.port}").strip("[]")


LEGITIMATE = [
    Legitimate("http://example.com", "example.com", PUBLIC, 80, "/"),
    Legitimate("https://example.com/", "example.com", PUBLIC, 443, "/"),
    Legitimate("HTTPS://EXAMPLE.COM/Hook", "example.com", PUBLIC, 443, "/Hook"),
    Legitimate("hTTp://Example.Com:8080/A", "example.com:8080", PUBLIC, 8080, "/A"),
    Legitimate("https://example.com:8443/hook?key=a%20b&x=1", "example.com:8443", PUBLIC, 8443, "/hook?key=a%20b&x=1"),
    Legitimate("https://example.com:443/", "example.com", PUBLIC, 443, "/"),
    Legitimate("http://example.com:80/", "example.com", PUBLIC, 80, "/"),
    Legitimate("http://example.com:443/", "example.com:443", PUBLIC, 443, "/"),
    Legitimate("https://example.com:80/", "example.com:80", PUBLIC, 80, "/"),
    Legitimate("http://example.com:1/", "example.com:1", PUBLIC, 1, "/"),
    Legitimate("http://example.com:65535/", "example.com:65535", PUBLIC, 65535, "/"),
    Legitimate("https://example.com?x=1", "example.com", PUBLIC, 443, "/?x=1"),
    Legitimate("https://example.com/?", "example.com", PUBLIC, 443, "/?"),
    Legitimate("https://example.com./hook", "example.com", PUBLIC, 443, "/hook"),
    Legitimate("https://example.com.:8443?x", "example.com:8443", PUBLIC, 8443, "/?x"),
    Legitimate("https://hooks.a-b.example.co.uk/%F0%9F%98%80", "hooks.a-b.example.co.uk", PUBLIC, 443, "/%F0%9F%98%80"),
    Legitimate("https://example.com/caf\u00e9?q=\u00fc%20", "example.com", PUBLIC, 443, "/caf%C3%A9?q=%C3%BC%20"),
    Legitimate("https://example.com//double//slash", "example.com", PUBLIC, 443, "//double//slash"),
    Legitimate("https://example.com/a/../b/./c", "example.com", PUBLIC, 443, "/a/../b/./c"),
    Legitimate("https://example.com/..;/x", "example.com", PUBLIC, 443, "/..;/x"),
    Legitimate("https://example.com/{x}|y", "example.com", PUBLIC, 443, "/%7Bx%7D%7Cy"),
    Legitimate("https://example.com/%2e%2e/%2F", "example.com", PUBLIC, 443, "/../%2F"),
    Legitimate("https://example.com/100%", "example.com", PUBLIC, 443, "/100%25"),
    Legitimate("https://example.com/@someone/p:q;r=1,2", "example.com", PUBLIC, 443, "/@someone/p:q;r=1,2"),
    Legitimate("https://example.com/?to=http://127.0.0.1/", "example.com", PUBLIC, 443, "/?to=http://127.0.0.1/"),
    Legitimate("https://example.com/?a=1?b=2", "example.com", PUBLIC, 443, "/?a=1?b=2"),
    Legitimate("https://example.com?@10.0.0.1/", "example.com", PUBLIC, 443, "/?@10.0.0.1/"),
    Legitimate("https://example.com/%0d%0aHost:%20x", "example.com", PUBLIC, 443, "/%0D%0AHost:%20x"),
    Legitimate("https://b\u00fccher.example/", "xn--bcher-kva.example", PUBLIC, 443, "/"),
    Legitimate("https://B\u00dcCHER.example:8443/", "xn--bcher-kva.example:8443", PUBLIC, 8443, "/"),
    Legitimate("https://xn--bcher-kva.example/", "xn--bcher-kva.example", PUBLIC, 443, "/"),
    Legitimate("https://XN--BCHER-KVA.EXAMPLE/", "xn--bcher-kva.example", PUBLIC, 443, "/"),
    Legitimate("https://\u4f8b\u3048.\u30c6\u30b9\u30c8/", "xn--r8jz45g.xn--zckzah", PUBLIC, 443, "/"),
    Legitimate("https://\u4f8b\u3048\u3002\u30c6\u30b9\u30c8/", "xn--r8jz45g.xn--zckzah", PUBLIC, 443, "/"),
    Legitimate("https://fa\u00df.example/", "xn--fa-hia.example", PUBLIC, 443, "/"),
    Legitimate("https://\u0645\u062b\u0627\u0644.example/", "xn--mgbh0fb.example", PUBLIC, 443, "/"),
    Legitimate("https://my_hook.example.com/", "my_hook.example.com", PUBLIC, 443, "/"),
    Legitimate("https://1.example.com/", "1.example.com", PUBLIC, 443, "/"),
    Legitimate("https://4chan.org/", "4chan.org", PUBLIC, 443, "/"),
    Legitimate("https://127.0.0.1.example.com/", "127.0.0.1.example.com", PUBLIC, 443, "/"),
    Legitimate("https://a.b.c.d.e.f.example.com/", "a.b.c.d.e.f.example.com", PUBLIC, 443, "/"),
    Legitimate(f"https://{'a' * 63}.example.com/", f"{'a' * 63}.example.com", PUBLIC, 443, "/"),
    Legitimate("https://localhost.example.com/", "localhost.example.com", PUBLIC, 443, "/"),
    Legitimate("https://mylocal.example/", "mylocal.example", PUBLIC, 443, "/"),
    Legitimate("http://93.184.215.14/", "93.184.215.14", "93.184.215.14", 80, "/"),
    Legitimate("https://93.184.215.14:8443/x", "93.184.215.14:8443", "93.184.215.14", 8443, "/x"),
    Legitimate("http://[2606:2800:220:1::1]/", "[2606:2800:220:1::1]", "2606:2800:220:1::1", 80, "/"),
    Legitimate("http://[2606:2800:0220:1::0001]:8080/", "[2606:2800:220:1::1]:8080", "2606:2800:220:1::1", 8080, "/"),
    Legitimate("https://[2606:2800:220:1::1]?x", "[2606:2800:220:1::1]", "2606:2800:220:1::1", 443, "/?x"),
    Legitimate("http://[::ffff:93.184.215.14]/", "[::ffff:5db8:d70e]", "::ffff:5db8:d70e", 80, "/"),
    Legitimate("http://[64:ff9b::93.184.215.14]/", "[64:ff9b::5db8:d70e]", "64:ff9b::5db8:d70e", 80, "/"),
    Legitimate("https://example.com/" + "a" * 2028, "example.com", PUBLIC, 443, "/" + "a" * 2028),
]  # fmt: skip


def at(hosts: list[str]) -> list[str]:
    """URLs of these hosts, on a port that makes no difference."""
    return [f"http://{host}:8080/" for host in hosts]


NEVER = [
    *(url for urls in URLS.values() for url in urls),
    *(url for hosts in (*HOSTS.values(), METADATA) for url in at(hosts)),
]
"""Refused whatever is allowed."""
UNLESS_ALLOWED = [url for hosts in (*INTERNAL.values(), *ADDRESSES.values()) for url in at(hosts)]
"""Refused where nothing is allowed."""
