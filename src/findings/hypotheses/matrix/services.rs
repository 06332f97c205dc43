//! Rows about services beside DNS: how their attempts ended, and what was served meanwhile (services §5.3).

use super::matrix;

matrix! {
    /// A reset in the server's name refused the connection.
    SYN_RESET: 140 ErrorSemantics, "services §5.3",
        for "a host without a listener, a filter and a device in front send the same reset",
        against "the host, or somebody in its name, answered",
        [H1 10, H2 10, H3 10, H4 5, H5 -10, H6 -20, H8 -20, H29 -10, H33 -20, H39 0, H40 2, H41 -10], excludes [H24, H25, H26, H27];
    /// The same where DNS had just given the address.
    SYN_RESET_NAMED: 140 ErrorSemantics, "services §5.3",
        for "a host without a listener, a filter and a device in front send the same reset",
        against "the host, or somebody in its name, answered; DNS names the address",
        [H1 10, H2 10, H3 10, H4 -5, H5 -10, H6 -20, H8 -20, H29 -10, H33 -20, H39 0, H40 2, H41 -10], excludes [H24, H25, H26, H27];
    /// A reset in the server's name from another distance.
    RESET_NEARER: 141 Generator, "services §5.3",
        for "its hops differ from those of the server's other packets: a device on the way sent it",
        against "the server itself did not send it",
        [H1 -10, H2 -10, H3 10, H5 10, H6 -5, H8 -10, H24 -5, H26 -5, H27 -5, H29 -5, H33 -20, H40 5, H41 -5, H43 20];
    /// Connections or requests without any reply.
    UNREACHED: 142 ErrorSemantics, "services §5.3",
        for "nothing came back: a filter that drops, a host that is gone",
        against "a live host without a listener refuses",
        [H1 -10, H2 -10, H6 5, H8 5, H29 2, H33 2, H40 2, H43 -10], excludes [H24, H25, H26, H27];
    /// Accepted, and the acceptance was sent again without acknowledgement.
    ACCEPTANCE_LOST: 142 ErrorSemantics, "RFC 9293 §3.5",
        for "the server accepts and what it sends is not acknowledged: the way back to the client",
        against "the server was asked and accepted",
        [H5 2, H6 -20, H7 5, H8 5, H14 -10, H29 2, H33 2, H41 2, H39 -10, H43 -10], excludes [H1, H2, H4, H24, H25, H26, H27];
    /// Accepted, and a router says that it has no way to the client.
    NO_WAY_BACK: 142 ErrorSemantics, "hypotheses §3",
        for "a router without a route back to the client sends this about the server's packets",
        against "the server was asked and accepted, and what it sent back was reported undeliverable",
        [H5 -2, H6 -20, H7 20, H8 -20, H14 -10, H29 -10, H39 -10, H43 -10], excludes [H1, H2, H4, H24, H25, H26, H27];
    /// Requests of a protocol that meets the unknown with silence by design.
    UNREACHED_BY_DESIGN: 142 ErrorSemantics, "services §1.9",
        for "nothing came back: a filter, a host that is gone, or a server that discards what it does not know",
        against "a live host without a listener refuses",
        [H1 -10, H2 -10, H6 5, H8 5, H14 5, H29 2, H33 2, H40 2], excludes [H24, H25, H26, H27];
    /// Requests acknowledged and never answered.
    REQUEST_MUTE: 143 ErrorSemantics, "services §5.3",
        for "the host accepted and acknowledged, its service said nothing",
        against "the connection was accepted and the request acknowledged",
        [H27 20, H46 5, H3 2, H5 -10, H6 -20, H8 -20, H24 -5, H29 -5, H33 -20, H39 2, H40 2], excludes [H1, H2, H4];
    /// A gap in the numbers of one side that is never filled, or large segments repeated in vain.
    LARGE_MISSING: 144 ErrorSemantics, "services §5.3",
        for "large packets of one direction do not arrive while small ones do",
        against "the connection was accepted, and small packets passed",
        [H24 20, H25 -10, H26 -10, H27 -20, H5 -5, H6 -20, H8 -10, H29 2, H33 -20, H40 5], excludes [H1, H2, H4];
    /// Data repeated without acknowledgement after the connection had worked.
    WENT_SILENT: 145 ErrorSemantics, "services §5.3",
        for "the connection had worked and then nothing of the other side came any more",
        against "the connection had worked",
        [H2 -5, H3 2, H6 5, H8 5, H24 -5, H27 -20, H29 2, H33 5, H41 5], excludes [H1, H4, H25, H26];
    /// The connection had been quiet before its data were lost.
    QUIET_BEFORE: 146 Timing, "services §5.2 H41",
        for "firewalls and translators forget connections that are quiet",
        [H41 5];
    /// New connections to the same service worked meanwhile.
    NEW_CONNECTION_WORKS: 147 OtherTraffic, "services §5.2 H41",
        for "host and path work for new connections; only the old ones are lost",
        against "host and path work",
        [H41 10, H6 -20, H8 -10, H33 -20];
    /// Closed or reset by the server without a byte of an answer.
    CUT_EARLY: 148 ErrorSemantics, "services §5.3",
        for "the server accepted, and its service ended the connection itself",
        against "the server answered at the level of TCP",
        [H45 2, H3 5, H5 -20, H6 -20, H8 -20, H9 5, H14 5, H24 -5, H26 10, H27 -10, H29 -5, H33 -20, H39 2, H40 2], excludes [H1, H2, H4];
    /// A reset in the server's name ended them.
    RESET_SEEN: 175 ErrorSemantics, "services §5.2 H43",
        for "they were ended by a reset, as a device sends that dislikes the content",
        [H43 2];
    /// The server ended sessions as it took on those of another client.
    SESSIONS_TAKEN: 176 ErrorSemantics, "MQTT 3.1.1 §3.1.4",
        for "a server that keeps one session for each name ends the older one when the name signs in again",
        against "the server accepted and served the sessions, and ended each for the next",
        [H48 20, H26 -10, H27 -10, H14 -5, H29 -10, H39 -10, H43 -10], excludes [H1, H2, H4, H5, H6, H8, H33];
    /// A fatal alert of the server.
    ALERT_OF_SERVER: 149 ErrorSemantics, "services §5.2 H25",
        for "the server refuses this handshake and says why",
        against "the server itself answered",
        [H25 20, H3 2, H24 -10, H29 -10, H39 2, H40 2, H43 -5], excludes [H1, H2, H4, H5, H6, H8, H26, H27, H33, H41];
    /// A fatal alert of the client.
    ALERT_OF_CLIENT: 149 ErrorSemantics, "services §5.2 H25",
        for "the client refuses what the server presents and says why",
        against "the server answered, and the client ended it",
        [H25 20, H24 -10, H29 -10, H43 -10], excludes [H1, H2, H4, H5, H6, H8, H26, H27, H33, H41];
    /// The handshake was left right after the other side's flight.
    HANDSHAKE_LEFT: 150 ErrorSemantics, "services §1.5",
        for "who leaves right after the other side's flight did not like it, or only looked whether somebody is there",
        against "both sides spoke TLS",
        [H25 10, H6 -20, H8 -20, H29 -5, H33 -20], excludes [H1, H2, H4, H27];
    /// The service answered that it cannot serve.
    SAYS_FAILURE: 151 ErrorSemantics, "services §5.2 H26",
        for "the service itself says that it failed",
        against "the service answered: the network did its part",
        [H26 20, H3 2, H24 -10, H29 -10, H39 2, H40 2, H43 -5], excludes [H1, H2, H4, H5, H6, H8, H25, H27, H33, H41];
    /// The service answered that a limit is reached.
    LIMIT_TOLD: 151 ErrorSemantics, "services §1.9, §5.2 H26",
        for "the service itself says that it has no more to give at a time",
        against "the service answered: the network did its part",
        [H47 20, H26 5, H3 2, H24 -10, H29 -10, H39 2, H40 2, H43 -5], excludes [H1, H2, H4, H5, H6, H8, H25, H27, H33, H41];
    /// The service answered that it is busy or unavailable.
    LIMIT_POSSIBLE: 151 ErrorSemantics, "services §5.2 H26",
        for "the service itself says that it cannot serve now: a limit is one of the reasons",
        against "the service answered: the network did its part",
        [H26 20, H47 10, H3 2, H24 -10, H29 -10, H39 2, H40 2, H43 -5], excludes [H1, H2, H4, H5, H6, H8, H25, H27, H33, H41];
    /// Connections that were held open when it refused others.
    CONNECTIONS_HELD: 174 OtherTraffic, "services §5.2 H26",
        for "connections were held open while others were refused",
        [H47 10];
    /// The service denied what was asked for, by a rule of its own.
    DENIED: 151 ErrorSemantics, "hypotheses §2 H14; services §5.2 H26",
        for "the service itself says that it does not allow this",
        against "the service answered: the network did its part",
        [H14 20, H26 5, H3 2, H24 -10, H29 -10, H39 2, H40 2, H43 -5], excludes [H1, H2, H4, H5, H6, H8, H25, H27, H33, H41];
    /// All were refused for a time, who are let in before or after.
    ALL_REFUSED: 151 ErrorSemantics, "services §5.2 H26",
        for "those who are let in otherwise were all refused at one time: the service refuses, or what it asks behind it",
        against "the service answered: the network to it did its part",
        [H14 20, H26 20, H3 2, H24 -10, H29 -10, H39 2, H40 2, H43 -5], excludes [H1, H2, H4, H5, H6, H8, H25, H27, H33, H41];
    /// A gateway's word that what stands behind it failed.
    GATEWAY_FAILURE: 152 ErrorSemantics, "services §5.2 H26",
        for "502 and 504 are a gateway's words about what stands behind it (RFC 9110 §15.6)",
        [H26 10];
    /// A failure behind the gateway came before each of its answers.
    FAILED_BEHIND: 170 Generator, "services §5.2 H26",
        for "what failed behind the gateway is in the capture",
        [H26 10];
    /// Requests on idle connections that crossed the server's close: its FIN acknowledges none of them.
    CLOSE_CROSSED: 171 Timing, "RFC 9112 §9.3.1, §9.5",
        for "the server closed the idle connection before it saw the request: whoever keeps connections longer than the server meets this now and then",
        against "the server closed because nothing had come, not because of the request",
        [H45 20, H26 -20, H39 -20, H3 -5, H14 -10, H27 -10, H29 -10, H40 -10, H43 -10];
    /// Connections accepted and never served, then SYNs that their host leaves unanswered.
    CONNECTIONS_LEFT: 172 Timing, "services §5.2 H27",
        for "the host accepts until its queue of connections is full, and then leaves SYNs unanswered: nobody takes them out",
        against "the host had accepted connections that the service did not take",
        [H46 20, H27 -10, H1 -20, H2 -10, H5 -20, H6 -20, H8 -20, H29 -10, H39 -20, H40 -10];
    /// Packets that left with hops enough used them up.
    WENT_ROUND: 173 OtherTraffic, "hypotheses §2 H7",
        for "no way is as long: routers send the packets to each other until their hops are used up",
        [H7 20, H5 -10, H6 -10, H8 -10];
    /// The same clients were served between failures.
    SERVED_BETWEEN: 153 OtherTraffic, "services §5.3",
        for "the service works for the same clients between failures",
        against "the service works for the same clients between failures",
        [H1 -20, H2 -10, H3 5, H5 -10, H6 -20, H8 -10, H25 -20, H27 -5, H29 5, H33 -20, H39 20, H40 5, H41 -10, H43 5], excludes [H4];
    /// The same clients were served meanwhile, but no client between two of its own failures.
    SERVED_BESIDE: 153 OtherTraffic, "services §5.3",
        for "the service works while some of the attempts fail",
        against "the service works at the same time",
        [H1 -20, H2 -10, H3 2, H5 -10, H6 -20, H8 -10, H25 -20, H27 -5, H29 5, H33 -20, H39 2, H40 5, H41 -10, H43 2], excludes [H4];
    /// The same where the service itself says that it fails.
    SERVED_BETWEEN_WORDS: 153 OtherTraffic, "services §5.2 H39",
        for "the service works for the same clients between failures",
        against "the service works for the same clients between failures",
        [H3 5, H25 -20, H27 -5, H29 5, H39 5, H40 5], excludes [H4];
    /// The receiver says that it missed fragments of the requests.
    FRAGMENTS_MISSED: 142 ErrorSemantics, "hypotheses §2 H11",
        for "the receiver waited for the missing fragments and gave up (RFC 792, RFC 8200 §4.5)",
        against "a part of the requests arrived",
        [H11 20, H8 -10, H14 -20, H1 -20, H6 -20, H39 -10], excludes [H2, H4, H24, H25, H26, H27];
    /// Requests in one piece were served while those in fragments failed.
    PIECES_SERVED: 154 OtherTraffic, "hypotheses §2 H11",
        for "what decides is the size: the way loses fragments, or a filter drops those without ports",
        against "smaller requests of the same clients were served",
        [H11 20, H14 -10, H40 5, H1 -20, H2 -10, H6 -20, H8 -10, H29 -10, H33 -20, H39 -20], excludes [H4];
    /// Others, another name, another path were served meanwhile.
    OTHERS_SERVED: 154 OtherTraffic, "services §5.3",
        for "the service works for others at the same time",
        against "the service works for others at the same time",
        [H1 -10, H2 10, H5 2, H6 -20, H24 2, H26 5, H27 5, H29 -5, H33 -20, H39 5, H40 10, H43 10], excludes [H4];
    /// What failed was captured before a device and not behind it, while what was served was captured on both sides.
    STOPPED_BETWEEN: 169 Generator, "services §3.2",
        for "it was stopped between the two places of capture",
        against "it did not get as far as the server",
        [H8 20, H5 5, H1 -20, H2 -20, H3 -5, H4 -10, H6 -20, H27 -20, H33 -10, H39 -20];
    /// Data of a connection that worked were captured before a device and not behind it.
    LOST_BETWEEN: 169 Generator, "services §3.2",
        for "it was stopped between the two places of capture, after the same connection had passed there",
        against "it did not get as far as the other side",
        [H41 10, H8 5, H5 5, H6 -20, H33 -10, H27 -20, H29 2];
    /// The same service of several hosts failed alike.
    SEVERAL_HOSTS: 168 OtherTraffic, "hypotheses §2 H5, H8",
        for "what several hosts have in common is the way to them, or a rule on it",
        against "several hosts that fail at the same time for reasons of their own are rarer than one reason on the way",
        [H5 5, H8 10, H1 -10, H2 -10, H3 2, H4 -5, H6 -10];
    /// Several hosts that were never seen to offer a service reset connections to it.
    SEVERAL_HOSTS_WITHOUT: 168 OtherTraffic, "hypotheses §2 H1",
        for "hosts that do not offer a service refuse it, each for itself; a rule on the way to them refuses alike",
        [H1 2, H2 0, H3 2, H5 2, H4 0];
    /// Other clients were served meanwhile.
    OTHER_CLIENTS_SERVED: 154 OtherTraffic, "services §5.3",
        for "the service works for others at the same time: what decides is who asks, or by which way",
        against "the service works for others at the same time",
        [H1 -10, H2 10, H5 5, H8 10, H14 10, H6 -20, H24 2, H26 5, H27 5, H29 -5, H33 -20, H39 5, H40 2, H43 5], excludes [H4];
    /// The host served something else, or answered pings, meanwhile.
    HOST_LIVES: 155 OtherTraffic, "services §5.3",
        for "the host is there; only this service is not reached",
        against "the host was there",
        [H2 2, H6 -20, H8 5, H14 5, H29 -5, H33 -20];
    /// The host answered nothing at all, pings among it.
    HOST_SILENT: 156 OtherTraffic, "services §1.9",
        for "nothing else of the host was seen either",
        [H6 5, H8 2];
    /// The receiver closed its window.
    WINDOW_CLOSED: 157 ErrorSemantics, "services §5.2 H28",
        for "the receiver says itself that it takes no more",
        against "the receiver answered",
        [H28 20, H29 -5, H6 -20, H8 -20, H33 -20], excludes [H1, H2, H4];
    /// Answers came late while the handshake was quick.
    LATE_BEHIND_HANDSHAKE: 158 Timing, "services §5.2 H31",
        for "the way was quick: the time passed inside the server, or behind it",
        against "the handshake was quick",
        [H31 20, H30 -20], excludes [H1, H2, H4, H6, H8];
    /// Everything came late, the handshake as well.
    LATE_ALL: 158 Timing, "services §5.2 H30",
        for "packets of every kind came late",
        against "the handshake, which no application answers, was late as well",
        [H30 20, H31 -10], excludes [H1, H2, H4, H6, H8];
    /// Late, and nothing else to compare with.
    LATE_UNCOMPARED: 158 Timing, "services §5.2 H30, H31",
        for "the answers came late",
        [H30 10, H31 10], excludes [H1, H2, H4, H6, H8];
    /// Nobody offered an address.
    NO_OFFER: 159 ErrorSemantics, "services §5.2 H34",
        for "the client asked again and again and nobody offered an address",
        [H34 20];
    /// Others were given addresses meanwhile.
    OTHERS_OFFERED: 160 OtherTraffic, "services §5.2 H34",
        for "the server serves others: what fails lies at this client, its port or its network",
        against "the server gave addresses to others meanwhile",
        [H34 -20, H14 10, H40 0];
    /// A server refused the address asked for, or had none.
    LEASE_REFUSED: 161 ErrorSemantics, "services §1.7",
        for "the server itself refused",
        [H14 20, H34 -20];
    /// Two servers gave different settings.
    TWO_SERVERS: 162 ErrorSemantics, "services §5.2 H35",
        for "two DHCP servers answered the same clients with different settings",
        [H35 20];
    /// The time server sent the client away, or has no time.
    NO_TIME_GIVEN: 163 ErrorSemantics, "services §5.2 H38",
        for "the server answered and offers no time",
        against "the server answered",
        [H38 20], excludes [H1, H2, H4, H6, H8];
    /// The time server gives a time that other clocks do not have.
    WRONG_TIME_GIVEN: 163 ErrorSemantics, "services §5.2 H38",
        for "the server answered, and more clocks agree with that of the capture than with it",
        against "the server answered",
        [H38 20], excludes [H1, H2, H4, H6, H8];
    /// DNS had given the address.
    NAME_RESOLVED: 164 OtherTraffic, "services §5.1 H20",
        for "name resolution gave the address before the service failed",
        [H20 20];
    /// Other answers for the name gave another address, where the service was found.
    LED_ASTRAY: 233 OtherTraffic, "hypotheses §2 H4, services §8 b22",
        for "the name leads to where the service is at other times or by other servers: the record, or the copy that was asked, is wrong or outdated",
        [H4 20, H20 0];
    /// The same where nobody tried the other address.
    LED_ELSEWHERE: 233 OtherTraffic, "hypotheses §2 H4, services §8 b22",
        for "the name leads elsewhere at other times or by other servers: one of the two is wrong or outdated",
        [H4 10, H20 0];
    /// The same host name in another domain leads to where the service is.
    LED_BY_DOMAIN: 212 OtherTraffic, "hypotheses §2 H4, services §8 b22",
        for "probably another domain was meant: a search domain or a name that is mistyped leads to a stranger's host",
        against "the same host name in another domain leads to where the service is",
        [H1 -10, H2 -10, H3 -10, H4 20, H14 -10, H20 0];
    /// Served otherwise soon after.
    SERVED_INSTEAD: 165 OtherTraffic, "services §5.1 H12, H18",
        for "the same name or port was served over another family, transport or address",
        [H12 20, H6 -5];
    /// Link addresses of the host were asked for in vain.
    HOST_UNANSWERED: 166 Generator, "services §5.3",
        for "nobody on that network answered for the address",
        against "the host did not answer for its address",
        [H6 20, H8 -10, H5 -5, H1 -20, H2 -20];
    /// It served the same clients before it refused them.
    SERVED_BEFORE: 167 OtherTraffic, "services §5.1",
        for "the service worked before and was refused after: something on or in front of the server changed",
        against "the address is that of a working service",
        [H1 10, H2 10, H3 10], excludes [H4];
}
