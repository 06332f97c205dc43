//! Rows from ICMP errors, and from sites and clients that fail beside DNS: what they say, who sent them, when.

use super::matrix;

matrix! {
    /// Port unreachable from the server's address, about a query that is certain.
    PORT_UNREACHABLE: 2 ErrorSemantics, "hypotheses §3",
        for "a host without a listener, a rejecting filter and a device in front all send exactly this (RFC 1122 §3.2.2.1)",
        against "a device using the server's address received the query and refused the port",
        [H1 10, H2 10, H3 10, H4 10, H5 -10, H6 -20, H7 -20, H8 -20, H9 0, H13 -10, H17 0, H20 -10];
    /// The same, about a query that is only probable.
    PORT_UNREACHABLE_PROBABLE: 2 ErrorSemantics, "hypotheses §3",
        for "a host without a listener, a rejecting filter and a device in front all send exactly this (RFC 1122 §3.2.2.1)",
        against "a device using the server's address received the query and refused the port",
        [H1 5, H2 5, H3 5, H4 5, H5 -5, H6 -10, H7 -10, H8 -10, H9 0, H13 -5, H17 2, H20 -5];
    /// Port unreachable from another address.
    PORT_UNREACHABLE_ELSEWHERE: 3 ErrorSemantics, "hypotheses §3",
        for "a filter on the path may reject with port unreachable in its own name",
        against "the refusal does not come from the server's address",
        [H1 -10, H2 -20, H3 2, H4 -2, H5 10, H6 -5, H7 -5, H8 -10, H9 0, H13 -5, H17 2, H20 -5];
    /// Administratively prohibited, from the server's address.
    PROHIBITED_BY_SERVER: 4 ErrorSemantics, "hypotheses §3",
        for "a rule on the host itself rejects with this code (RFC 1812 §5.2.7.1)",
        against "the message names a rule at the server's address as the reason",
        [H1 -10, H2 20, H3 5, H4 -5, H5 -5, H6 -20, H7 -20, H8 -20, H9 -2, H13 -10, H17 0, H20 -10];
    /// Administratively prohibited, from another address.
    PROHIBITED_ELSEWHERE: 5 ErrorSemantics, "hypotheses §3",
        for "the message is the one a filtering device sends in its own name (RFC 1812 §5.2.7.1)",
        against "the message names a rule on another device as the reason",
        [H1 -20, H2 -20, H3 0, H4 -5, H5 20, H6 -10, H7 -5, H8 -20, H9 -2, H13 -10, H17 0, H20 -10];
    /// Host unreachable after the time address resolution takes.
    HOST_UNREACHABLE_SLOW: 6 ErrorSemantics, "hypotheses §3",
        for "the last router could not resolve the host's link address; three tries a second apart take about 3 s",
        against "the router reported that the host could not be reached",
        [H1 -20, H2 -20, H3 -10, H4 0, H5 -5, H6 20, H7 2, H8 -20, H9 -2, H13 -20, H17 0, H20 -10];
    /// The same where nobody was ever heard: a wrong address sends the same packets as a dead host.
    HOST_UNREACHABLE_SLOW_UNHEARD: 6 ErrorSemantics, "hypotheses §3",
        for "the last router could not resolve the host's link address; three tries a second apart take about 3 s",
        against "the router reported that the host could not be reached",
        [H1 -20, H2 -20, H3 -10, H4 20, H5 -5, H6 20, H7 2, H8 -20, H9 -2, H13 -20, H17 0, H20 -10];
    /// Host unreachable at once: three causes send this alike, and it proves none of them.
    HOST_UNREACHABLE_FAST: 7 ErrorSemantics, "hypotheses §2 H6",
        for "at once it comes from a reject route, a rule with this code, or an address that had just failed to resolve",
        against "the router reported that the host could not be reached",
        [H1 -20, H2 -20, H3 -10, H4 0, H5 5, H6 5, H7 5, H8 -20, H9 -2, H13 -20, H17 0, H20 -10];
    /// The same where nobody was ever heard.
    HOST_UNREACHABLE_FAST_UNHEARD: 7 ErrorSemantics, "hypotheses §2 H6",
        for "at once it comes from a reject route, a rule with this code, or an address that had just failed to resolve",
        against "the router reported that the host could not be reached",
        [H1 -20, H2 -20, H3 -10, H4 5, H5 5, H6 5, H7 5, H8 -20, H9 -2, H13 -20, H17 0, H20 -10];
    /// Network unreachable.
    NET_UNREACHABLE: 8 ErrorSemantics, "hypotheses §3",
        for "a router without a route to the network sends this",
        against "the query did not reach the server's network",
        [H1 -20, H2 -20, H3 -10, H4 0, H5 -2, H6 -2, H7 20, H8 -20, H9 -2, H13 -20, H17 0, H20 -10];
    /// Time exceeded in transit.
    TIME_EXCEEDED: 9 ErrorSemantics, "hypotheses §2 H7",
        for "queries that use up their hops travel in a loop",
        against "the query did not reach the server's network",
        [H1 -20, H2 -20, H3 -10, H4 0, H5 -5, H6 -5, H7 20, H8 -20, H9 -2, H13 -20, H17 0, H20 -10];
    /// The error came from as far away as other packets of the server.
    HOPS_AGREE: 14 Generator, "hypotheses §3",
        for "the distance agrees with where this explanation puts the sender",
        against "the distance does not agree with where this explanation puts the sender",
        [H1 2, H2 2, H3 -5, H4 2, H5 -5, H9 0, H17 -5];
    /// The same for errors of a bridge, which takes no hop off: as far away as the server is where it stands.
    HOPS_AGREE_BRIDGED: 14 Generator, "hypotheses §3",
        for "the distance agrees with where this explanation puts the sender",
        against "the distance does not agree with where this explanation puts the sender",
        [H1 2, H2 2, H3 0, H4 2, H5 -5, H9 0, H17 -5];
    /// The error came from another distance than other packets of the server.
    HOPS_DIFFER: 15 Generator, "hypotheses §2 H3",
        for "the distance agrees with where this explanation puts the sender",
        against "the distance does not agree with where this explanation puts the sender",
        [H1 -2, H2 -2, H3 5, H4 -2, H5 2, H17 5];
    /// The error came later than its type explains.
    DELAYED: 18 Timing, "hypotheses §3",
        for "an unexplained delay leaves room for another sender",
        [H1 0, H2 0, H3 2, H4 0, H5 0, H6 2, H7 0, H8 0, H9 2, H17 2];
    /// The error came about one round trip after the query.
    DELAY_FITS: 19 Timing, "hypotheses §2 H1",
        for "the delay is one round trip to the server",
        against "the delay is one round trip to the server",
        [H1 2, H2 2, H4 2, H17 -5];
    /// The error came sooner than the server's round trip.
    DELAY_SHORT: 20 Timing, "hypotheses §2 H3",
        for "the sender is nearer than the server",
        against "the message came sooner than the server can respond",
        [H3 5, H5 5, H1 -5, H2 -5, H4 -5];
    /// The source of the error is not the server.
    SOURCE_DIFFERS: 26 Generator, "hypotheses §2 H5",
        for "a device on the path speaks in its own name",
        against "the server's address did not send the message",
        [H5 10, H1 -5, H2 -5];
    /// The quoted TTL tells how far the query got.
    QUOTED_TTL: 27 Generator, "hypotheses §2 H5",
        for "the rejecting device stands that far along the path",
        [H5 2];
    /// Errors for queries sent at different times came together.
    ERRORS_TOGETHER: 28 Timing, "hypotheses §2 H6",
        for "queries wait in one queue while the address is resolved and are returned together",
        [H6 5];
    /// The unreachable message came from the client itself.
    LOCAL_ERROR: 30 Generator, "hypotheses §2 H6",
        for "the asking host's own kernel reports that it could not resolve the neighbour's link address",
        against "the query never left the asking host",
        [H6 10, H5 -10, H7 -5];
    /// The asking host itself had no route.
    LOCAL_NO_ROUTE: 30 Generator, "hypotheses §2 H7",
        for "the asking host's own routing table has no way to that network",
        against "the query never left the asking host",
        [H5 -10, H6 -10, H7 10];
    /// The asking host itself refused its own query.
    LOCAL_REJECTION: 30 Generator, "hypotheses §2 H5",
        for "the asking host's own packet filter rejects what it sends",
        against "the query never left the asking host",
        [H1 -20, H2 -20, H3 -20, H4 -10, H5 10, H6 -20, H7 -10, H8 -20, H17 -5];
    /// Both an error and a genuine answer.
    ERROR_AND_ANSWER: 54 Integrity, "hypotheses §2 H17",
        for "one of the two did not come from the server",
        against "the service answered the same query",
        [H17 10, H1 -20, H2 -10, H3 -10, H4 -20, H5 -10, H6 -20, H7 -20, H39 -20, H40 -20];
    /// The error in the server's name came from another link address than its answers, both on this link.
    OTHER_LINK: 121 Generator, "hypotheses §2 H17",
        for "a third device on this link sent the message in the server's name",
        against "the server's own link address did not send the message",
        [H1 -20, H2 -20, H3 -10, H4 -10, H17 20, H32 10, H39 -10];
    /// The quote disagrees with every packet sent.
    CONTRADICTED: 55 Integrity, "hypotheses §2 H17",
        for "a blind sender cannot know what the client really sent (RFC 5927 §4)",
        [H17 10];
    /// The quote is complete and agrees byte for byte.
    FULL_QUOTE: 56 Integrity, "hypotheses §2 H17",
        against "a sender off the path cannot know the DNS id",
        [H17 -10];
    /// The client refused the response.
    CLIENT_REFUSED: 60 OtherTraffic, "hypotheses §2 H19",
        for "the client had given up and closed its socket before the answer came",
        against "the server's answer reached the client's host",
        [H19 10, H8 -10];
    /// The same for answers to questions that only amplify: whoever refuses them did not ask.
    VICTIM_REFUSED: 60 OtherTraffic, "hypotheses §2 H19",
        for "the client had given up and closed its socket before the answer came",
        against "the server's answer reached the client's host",
        [H9 10, H19 0, H8 -10];
    /// Error header pattern of a transparent filter.
    BRIDGE_PATTERN: 69 Generator, "hypotheses §2 H3",
        for "a reject rule on a Linux bridge makes errors like these; the kernel's own carry TOS 0xc0",
        against "a Linux host's own errors carry TOS 0xc0, no don't fragment and an IP id",
        [H3 5, H1 -5, H2 -5, H4 -5];
    /// Host or network unreachable, told by the server's own address after the time address resolution takes.
    UNREACHABLE_BY_SERVER_SLOW: 76 ErrorSemantics, "hypotheses §2 H3",
        for "a device that translates the address could not resolve the link address of the real server behind it",
        against "a device using the server's address received the query and sent the message",
        [H1 -20, H2 -5, H3 20, H4 -5, H5 -5, H6 10, H7 -5, H8 -20, H9 -2, H13 -20, H17 0, H20 -10];
    /// The same at once.
    UNREACHABLE_BY_SERVER_FAST: 76 ErrorSemantics, "hypotheses §2 H3",
        for "a rule can reject with this code; no host reports itself unreachable of its own accord",
        against "a device using the server's address received the query and sent the message",
        [H1 -10, H2 20, H3 10, H4 -5, H5 -5, H6 -20, H7 -10, H8 -20, H9 -2, H13 -10, H17 0, H20 -10];
    /// Errors about queries their receiver did not send.
    UNSENT: 83 Integrity, "hypotheses §2 H17",
        for "a blind sender guesses ports (RFC 5927 §4)",
        against "the service answered the queries that were sent",
        [H17 10, H1 -20, H2 -10, H3 -10, H4 -20, H5 -10, H6 -20, H7 -20];
    /// Errors that name many ports in a burst.
    MANY_PORTS: 84 Timing, "hypotheses §2 H17",
        for "a burst that tries one port after the other guesses",
        [H17 10];
    /// Unrelated names all led to the client's own next hop.
    LED_TO_NEXT_HOP: 96 ErrorSemantics, "services §5.2 H36",
        for "the gateway answers every name with itself, as a sign-in portal or a hijack does",
        against "the question was answered",
        [H13 -10, H14 -10, H15 -10, H20 -10, H23 10, H36 20], excludes [H1, H2, H4, H5, H6, H7, H8];
    /// Unrelated names all led to one private address.
    LED_TO_ONE_ADDRESS: 96 ErrorSemantics, "services §5.2 H36",
        for "something answers every name with one address, as a sign-in portal or a hijack does",
        against "the question was answered",
        [H13 -10, H14 -10, H15 -10, H20 -10, H23 10, H36 20], excludes [H1, H2, H4, H5, H6, H7, H8];
    /// One of the names has another address elsewhere in the capture.
    ANSWERED_OTHERWISE: 97 OtherTraffic, "services §5.2 H36",
        for "the name has an address of its own, so the other answer was made on the way",
        against "the name resolves elsewhere",
        [H23 5, H36 5];
    /// The log itself says that a rule blocked the packets.
    BLOCKED_BY_RULE: 234 ErrorSemantics, "truth T43",
        for "the filter that wrote the log says that it let none of these packets through",
        against "the log names a rule as the reason; what lies behind the filter was never asked",
        [H1 -10, H2 0, H4 -5, H5 20, H6 -20, H7 -10, H8 -10, H9 -10, H13 -10, H17 -10, H20 -10, H29 -20, H33 -10, H39 -20, H40 -5];
}
