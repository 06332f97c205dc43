//! Rows from what else the capture shows, and what is given before it is looked at.

use super::matrix;

matrix! {
    /// Attacks and forgeries are rarer than faults: the only priors there are.
    RARE_PRIOR: 1 Analyst, "hypotheses §1",
        against "a starting value by judgement, to be changed by the analyst where more is known",
        [H9 -5, H17 -5];
    /// The server answered DNS during the failure.
    ANSWERED_MEANWHILE: 11 OtherTraffic, "hypotheses §3",
        for "the service works for some queries and not for others",
        against "the service answered during the failure",
        [H1 -20, H2 5, H3 0, H5 0, H6 -20, H7 -20, H8 0, H9 2, H13 2, H17 0, H20 0, H39 2], excludes [H4];
    /// The same while errors came: one of the two may not be the server's.
    ANSWERED_AMID_ERRORS: 11 OtherTraffic, "hypotheses §3",
        for "the service works for some queries and not for others",
        against "the service answered during the failure",
        [H1 -20, H2 5, H3 0, H5 0, H6 -20, H7 -20, H8 0, H9 2, H13 2, H17 10, H20 0, H39 2], excludes [H4];
    /// It answered others while routers told the failing clients that they could not deliver.
    ANSWERED_OTHERS: 11 OtherTraffic, "hypotheses §3",
        for "the others' way works, the failing clients' way does not",
        against "the service answered others during the failure",
        [H1 -20, H2 0, H3 0, H5 5, H6 -20, H7 5, H8 0, H9 2, H13 -5, H17 2, H20 0], excludes [H4];
    /// TCP to the same port answered while UDP fails.
    TCP_WORKS: 12 OtherTraffic, "hypotheses §3",
        for "a rule treats UDP otherwise than TCP",
        against "the service runs and the host is reachable over TCP",
        [H1 -5, H2 10, H3 0, H5 5, H6 -20, H7 -20, H8 5, H9 -5, H13 0, H17 0, H20 0], excludes [H4];
    /// TCP to the same port answered, and so does UDP, only too little: no rule parts the two.
    TCP_WORKS_TOO: 12 OtherTraffic, "hypotheses §3",
        for "a rule treats UDP otherwise than TCP",
        against "the service runs and the host is reachable over TCP",
        [H1 -5, H2 0, H3 0, H5 0, H6 -20, H7 -20, H8 0, H9 -5, H13 0, H17 0, H20 0], excludes [H4];
    /// TCP to the same port was reset.
    TCP_RESET: 13 OtherTraffic, "hypotheses §3",
        for "a host without a listener resets TCP as well",
        against "the host answered, only the port is closed",
        [H1 5, H2 2, H3 0, H4 5, H5 0, H6 -20, H7 -20, H8 -5, H9 0, H13 -10, H17 0, H20 0];
    /// The same where the service answers over UDP: it runs, and only TCP is refused.
    TCP_RESET_BESIDE_UDP: 13 OtherTraffic, "hypotheses §3",
        for "a host without a listener resets TCP as well",
        against "the host answered, only the port is closed",
        [H1 5, H2 5, H3 5, H4 -20, H5 0, H6 -20, H7 -20, H8 -5, H9 0, H13 -10, H17 0, H20 0];
    /// The server serves something else while its DNS port is silent, and never answered DNS.
    OTHER_SERVICE_BESIDE_SILENCE: 21 OtherTraffic, "hypotheses §2 H1, H4",
        for "the host lives while its DNS port is silent",
        [H1 2, H2 2, H4 5];
    /// The server answers echo requests or serves something else while its DNS port is silent.
    ALIVE_BESIDE_SILENCE: 21 OtherTraffic, "hypotheses §2 H1, H4",
        for "the host lives while its DNS port is silent",
        [H1 2, H2 2, H4 0];
    /// The server serves something else while its DNS port refuses, and never answered DNS.
    OTHER_SERVICE_BESIDE_REFUSAL: 21 OtherTraffic, "hypotheses §2 H1, H4",
        for "the host lives while its DNS port refuses",
        [H1 2, H2 2, H4 5];
    /// The server answers echo requests or serves something else while its DNS port refuses.
    ALIVE_BESIDE_REFUSAL: 21 OtherTraffic, "hypotheses §2 H1, H4",
        for "the host lives while its DNS port refuses",
        [H1 2, H2 2, H4 0];
    /// The server answered before it refused.
    ANSWERED_BEFORE_REFUSING: 22 OtherTraffic, "hypotheses §2 H1",
        for "something on or in front of the server changed: a service or a rule was stopped or started",
        against "the address is that of a working DNS server",
        [H1 10, H2 10, H3 10], excludes [H4];
    /// The server answered before.
    ANSWERED_BEFORE: 22 OtherTraffic, "hypotheses §2 H1",
        for "something on or in front of the server changed: a service or a rule was stopped or started",
        against "the address is that of a working DNS server",
        [H1 0, H2 0, H3 0], excludes [H4];
    /// The server answered again after it had refused.
    RECOVERED_FROM_REFUSING: 23 OtherTraffic, "hypotheses §2 H1",
        for "something on or in front of the server changed: a service or a rule was stopped or started",
        against "the address is that of a working DNS server",
        [H1 2, H2 2, H3 2], excludes [H4];
    /// The server answered again later.
    RECOVERED: 23 OtherTraffic, "hypotheses §2 H1",
        for "something on or in front of the server changed: a service or a rule was stopped or started",
        against "the address is that of a working DNS server",
        [H1 0, H2 0, H3 0], excludes [H4];
    /// The server never sent a DNS answer.
    NEVER_ANSWERED: 24 OtherTraffic, "hypotheses §2 H4",
        for "nothing shows that the address is meant to be a resolver",
        [H4 2];
    /// A referral in view names the server for the zone that was asked for.
    REFERRED: 208 OtherTraffic, "hypotheses §2 H4, RFC 1034 §4.2.1",
        against "the zone above names this server: who asked it was sent there",
        [H4 -20];
    /// Another resolver answered the same client.
    OTHER_RESOLVER: 25 OtherTraffic, "hypotheses §2 H4",
        for "the client's path to resolvers works; this address is the odd one",
        [H4 5];
    /// Answers to queries that were not captured at the server's side, where others of the same client are.
    ANSWERED_SHORT: 126 Generator, "services §5.2 H23",
        for "who answered stands before the place where the server's queries are captured",
        against "the query did not reach the server's side",
        [H13 -10, H14 -10, H15 -20, H23 20];
    /// ARP or neighbour requests for the server unanswered.
    ARP_UNANSWERED: 29 Generator, "hypotheses §2 H6",
        for "nobody on that network holds the address",
        against "the host did not answer for its address",
        [H6 20, H4 0, H8 -10, H1 -20, H2 -20];
    /// The same where a wrong address looks like a dead host.
    ARP_UNANSWERED_UNHEARD: 29 Generator, "hypotheses §2 H6",
        for "nobody on that network holds the address",
        against "the host did not answer for its address",
        [H6 20, H4 20, H8 -10, H1 -20, H2 -20];
    /// Another address of the same link address answered while nobody answered for the server's.
    HOST_HOLDS_ANOTHER: 230 OtherTraffic, "hypotheses §2 H6",
        for "the host is on its network, and does not hold that address",
        against "what was sent to the address reached no host",
        [H6 5, H7 -20, H8 -5];
    /// ARP or neighbour requests of the clients for their way to other networks unanswered.
    NEXT_HOP_UNANSWERED: 112 OtherTraffic, "services §5.3",
        for "without the next hop's link address nothing of the client leaves its network",
        against "the client could not reach its own next hop",
        [H33 20, H5 -20, H6 -5, H8 -10, H7 -5];
    /// Two devices speak for the server's or a client's address.
    TWO_OWNERS: 113 Generator, "services §5.2 H32",
        for "what is sent to the address reaches whichever of the two spoke last",
        against "packets to or from the address may be another device's",
        [H32 20, H1 -10, H2 -10, H3 -10, H4 -10, H6 -5, H8 -5, H17 2, H19 -5, H23 5];
    /// Two devices speak for the address, and successes and failures part along them.
    OWNERS_PARTED: 113 Generator, "services §5.2 H32",
        for "what is sent to the address reaches whichever of the two spoke last, and one of them does not serve",
        against "what served and what failed came from different devices",
        [H32 20, H1 -10, H2 -20, H3 -20, H4 -10, H6 -10, H8 -10, H14 -10, H17 2, H19 -5, H39 -20, H40 -20, H43 -10];
    /// The server sent packets during the failure.
    SERVER_ALIVE: 31 OtherTraffic, "hypotheses §2 H6, H7",
        against "the host was present and reachable at the time",
        [H6 -20, H7 -20];
    /// It sent packets to others while routers told the failing clients that they could not deliver.
    SERVER_ALIVE_ELSEWHERE: 31 OtherTraffic, "hypotheses §2 H6, H7",
        against "the host was present and reachable for others at the time",
        [H6 -20, H7 0];
    /// The server sent packets shortly before or after.
    SERVER_ALIVE_NEARBY: 31 OtherTraffic, "hypotheses §2 H6, H7",
        against "the host was present and reachable shortly before or after",
        [H6 -5, H7 -5];
    /// The failing queries leave their client with few hops to go, others to the same server with many.
    FEW_HOPS: 123 OtherTraffic, "hypotheses §2 H7",
        for "packets sent with too small a TTL use up their hops before they arrive",
        against "what decides is the TTL the client gives its packets, not the path",
        [H5 -10, H6 -20, H7 -20, H8 -20, H17 -10, H44 20];
    /// The same where nobody else's packets are there to compare.
    FEW_HOPS_ALONE: 123 OtherTraffic, "hypotheses §2 H7",
        for "packets sent with too small a TTL use up their hops before they arrive",
        against "no system sends with so few hops of its own accord",
        [H5 -5, H6 -10, H7 -5, H8 -10, H44 20];
    /// UDP fails while TCP works, or the reverse.
    TRANSPORT_SPLIT: 48 OtherTraffic, "hypotheses §2 H12",
        for "the two transports were both tried and fared differently",
        [H12 20];
    /// An answer that refers back or is not authoritative, to what a referral hands it.
    LAME_DELEGATED: 53 ErrorSemantics, "hypotheses §2 H16",
        for "a delegation that names a server which does not serve the zone (lame, RFC 9499 §7)",
        against "the server answered",
        [H16 20, H13 -2, H14 -5], excludes [H1, H2, H3, H4, H5, H6, H7, H8];
    /// An answer that is not authoritative, without a referral in view.
    LAME: 53 ErrorSemantics, "hypotheses §2 H16",
        for "a delegation that names a server which does not serve the zone (lame, RFC 9499 §7)",
        against "the server answered",
        [H16 10, H13 -2, H14 -2], excludes [H1, H2, H3, H4, H5, H6, H7, H8];
    /// An error code to what a referral hands it.
    LAME_CODE_DELEGATED: 53 ErrorSemantics, "hypotheses §2 H16",
        for "a delegation that names a server which does not serve the zone (lame, RFC 9499 §7)",
        against "the server answered",
        [H16 20, H13 -2, H14 -5];
    /// An error code as resolvers ask, without a referral in view.
    LAME_CODE: 53 ErrorSemantics, "hypotheses §2 H16",
        for "a delegation that names a server which does not serve the zone (lame, RFC 9499 §7)",
        against "the server answered",
        [H16 10, H13 -2, H14 -2];
    /// One server of a zone answers from an older serial number than another had answered from before.
    OUTDATED: 200 ErrorSemantics, "hypotheses §2 H16",
        for "a zone transfer that does not happen leaves a server with old data (RFC 1034 §4.3.5)",
        against "the servers answered, with different data",
        [H13 -2, H16 20, H20 -5], excludes [H1, H2, H3, H4, H5, H6, H7, H8];
    /// One server of a zone always answers otherwise than another, by turns.
    OUTDATED_BY_ANSWERS: 200 ErrorSemantics, "hypotheses §2 H16",
        for "all servers of a zone are to give the same data (RFC 1034 §4.3.5); what differs by server, not by time, is in one of them",
        against "the servers answered, with different data",
        [H13 -2, H16 20, H20 -5, H37 5], excludes [H1, H2, H3, H4, H5, H6, H7, H8];
    /// The servers that answer for the denied names disagree about them.
    SERVERS_DISAGREE: 207 OtherTraffic, "hypotheses §2 H16",
        for "what is denied depends on which of the zone's servers is asked",
        against "another server of the zone gives the name at the same time",
        [H13 -5, H14 -10, H15 -20, H16 20, H37 2];
    /// Connections to addresses that only the server with old data gives fail.
    OUTDATED_ADDRESS_FAILS: 201 OtherTraffic, "hypotheses §2 H16",
        for "what the old data name is no longer there",
        [H16 10];
    /// The quote is short although the same source quotes more elsewhere.
    SHORT_QUOTE: 57 Integrity, "hypotheses §2 H17",
        for "one host quotes alike; a blind sender knows no more than addresses and ports (RFC 5927 §4)",
        [H17 5];
    /// The same name was answered by another resolver soon after.
    FAILOVER: 58 OtherTraffic, "hypotheses §2 H18",
        for "the client switched and got its answer: redundancy is lost, service is not",
        [H18 20];
    /// The record is no faithful capture.
    UNFAITHFUL: 61 Integrity, "hypotheses §2 H21",
        for "conclusions rest on addresses, message types and order only",
        [H21 20];
    /// Answers sooner or from another distance than the server.
    INTERCEPTED: 65 Generator, "hypotheses §2 H23",
        for "another device than the server answers DNS in its name",
        [H23 10];
    /// Two devices answered one question with different addresses.
    CONTESTED: 110 ErrorSemantics, "RFC 5452 §3",
        for "only one of two devices that answer in one server's name can be that server",
        against "the questions were answered, by two devices",
        [H23 20, H13 -10, H20 -10];
    /// Errors of this kind came for several servers from one distance.
    SEVERAL_SERVERS: 66 Generator, "hypotheses §2 H3",
        for "one device in front may refuse for all of them",
        [H3 5];
    /// Another client was served while this one was refused.
    OTHER_CLIENT_SERVED: 67 OtherTraffic, "hypotheses §2 H2",
        for "a rule by source address refuses some clients and serves others",
        [H2 10];
    /// Errors kept coming with fitting delay.
    PERSISTENT: 68 Integrity, "hypotheses §2 H17",
        against "a forger would have to see or guess each query for all that time",
        [H17 -5];
    /// Silence over TCP as well.
    TCP_SILENT: 71 OtherTraffic, "hypotheses §2 H8",
        for "a filter that drops, or a host that is gone, is silent on TCP too",
        against "a live host without a listener resets TCP",
        [H8 2, H6 2, H1 -2];
    /// Silence over TCP where UDP answers, only too little.
    TCP_SILENT_BESIDE_ANSWERS: 71 OtherTraffic, "hypotheses §2 H8, RFC 7766 §5",
        for "the host answers over UDP: what is sent to its TCP port is dropped on the way or on it",
        against "a live host without a listener resets TCP, and this one answers over UDP",
        [H8 10, H1 -10, H2 -5, H4 -20, H5 -5, H6 -20, H7 -20];
    /// Silence over TCP where UDP is refused.
    TCP_SILENT_BESIDE_REFUSAL: 71 OtherTraffic, "hypotheses §2 H8",
        for "a filter that drops, or a host that is gone, is silent on TCP too",
        against "a live host without a listener resets TCP",
        [H2 2, H1 -2];
    /// DHCP gave the address as a name server.
    HANDED_OUT: 73 OtherTraffic, "hypotheses §2 H4",
        for "a client uses what DHCP gives it, right or wrong",
        [H4 10];
    /// A router advertisement gave the address, where others give servers that answer.
    ANNOUNCED_BY_RIVAL: 73 OtherTraffic, "RFC 6104 §2, hypotheses §2 H4",
        for "a router that is not meant to be there announces servers of its own",
        [H4 20];
    /// DHCP gave other name servers.
    OTHERS_HANDED_OUT: 73 OtherTraffic, "hypotheses §2 H4",
        for "the address asked does not come from the network's own configuration",
        [H4 5];
    /// TCP to the same port was refused by an ICMP error from the server's address.
    TCP_REJECTED: 75 OtherTraffic, "hypotheses §2 H2",
        for "a reject rule answers TCP with an ICMP error as well",
        against "a host without a listener answers TCP with a reset (RFC 9293 §3.10.7.1)",
        [H2 10, H3 5, H1 -10, H4 -5, H8 -5];
    /// The server asked others for the same names in vain.
    UPSTREAM_FAILS: 77 OtherTraffic, "hypotheses §2 H13",
        for "the server received the query and could not find an answer behind it",
        against "the server received the query and worked on it",
        [H13 20, H8 -10, H1 -20, H2 -10, H4 -20, H6 -20, H7 -20, H22 -5, H29 -10, H39 -20, H40 -10];
    /// The same: what came over UDP was cut or came in part, and TCP was left without any answer.
    UPSTREAM_WITHOUT_TCP: 204 OtherTraffic, "hypotheses §2 H12, H13, RFC 7766 §5",
        for "the server could not fetch the whole answer behind it: too large for UDP, and TCP there is silent",
        against "the server received the query and worked on it",
        [H13 20, H8 -10, H1 -20, H2 -10, H4 -20, H6 -20, H7 -20, H22 -5, H29 -10, H39 -20, H40 -10];
    /// The same where random names are asked, which exhaust whoever is asked for them.
    UPSTREAM_FLOODED: 77 OtherTraffic, "hypotheses §2 H9, H13",
        for "names made up at random are passed on and exhaust the zone's own servers",
        against "the server received the query and worked on it",
        [H9 10, H13 5, H8 -10, H1 -20, H2 -10, H4 -20, H6 -20, H7 -20, H22 -5];
    /// The server asked others for the same names or their zone and was answered.
    UPSTREAM_ANSWERS: 202 OtherTraffic, "hypotheses §2 H13",
        for "the server worked on it; what it made of the answers is what failed",
        [H13 2];
    /// Those answers are signed with signatures that have expired.
    SIGNATURES_EXPIRED: 203 ErrorSemantics, "RFC 4035 §5.3.1, hypotheses §2 H13",
        for "a validating resolver takes no answer whose signatures have expired: the zone was not signed again, or a clock is wrong",
        [H13 20, H14 -10];
    /// The server got no copy of the zone whose names it fails.
    TRANSFER_FAILED: 232 OtherTraffic, "RFC 1035 §4.3.5, hypotheses §2 H13",
        for "a secondary that cannot renew its copy of a zone stops answering for it when the copy runs out",
        [H13 20, H14 -5];
    /// The same with signatures that do not hold yet.
    SIGNATURES_EARLY: 231 ErrorSemantics, "RFC 4035 §5.3.1, hypotheses §2 H13",
        for "a validating resolver takes no answer whose signatures do not hold yet: the clock of who signed, of the resolver or of the capture is wrong",
        [H13 20, H14 -10];
    /// The query was captured again on its way to another address.
    TRANSLATED: 78 OtherTraffic, "hypotheses §2 H3",
        for "a device translates the address asked to that of another host, whose refusal returns in the asked name",
        [H3 10];
    /// The same datagram passed again and again with ever fewer hops left.
    LOOPED: 79 OtherTraffic, "hypotheses §2 H7",
        for "routers send the packet to each other until its hops are used up",
        [H7 20, H5 -10, H6 -10, H8 -10];
    /// The server answered the same name with SERVFAIL at another time.
    FAILED_ELSEWHEN: 80 OtherTraffic, "hypotheses §2 H13",
        for "it receives the queries and works on them longer than the client waits",
        against "the server received a query for this name and worked on it",
        [H13 10, H8 -10, H1 -20, H2 -5, H4 -20, H6 -20, H7 -20];
    /// What failed was sent on to one host behind the address, what was served to others.
    MEMBER_FAILS: 114 Generator, "services §5.2 H39",
        for "the host behind the address to which the failing queries went does not serve, the others do",
        against "the address stands for several hosts, and others of them serve",
        [H1 -10, H2 -10, H3 -10, H5 -20, H6 -20, H8 -10, H29 -20, H39 20, H40 -10];
    /// Answers in the server's name start with different TTLs, in turns.
    SEVERAL_SYSTEMS: 220 Generator, "services §5.2 H39",
        for "one system starts its packets alike: several hosts answer behind the address",
        [H3 2, H39 10];
    /// Answers in the server's name come over different numbers of routers, in turns.
    SEVERAL_DISTANCES: 220 Generator, "services §5.2 H39",
        for "several hosts answer behind the address, or there are several paths to it",
        [H3 2, H39 2];
    /// The server answered the failing clients themselves between failures that are silence.
    INTERLEAVED_SILENCE: 85 OtherTraffic, "services §5.3",
        for "the service runs: single packets are lost, or one of several members does not serve",
        against "the same client was served between its failures",
        [H1 -20, H2 -10, H3 2, H5 -10, H6 -20, H7 -20, H8 -10, H9 2, H29 5, H39 5, H40 2], excludes [H4];
    /// The same where failures are refusals of the server's own address, seconds apart from answers.
    INTERLEAVED_REFUSALS: 85 OtherTraffic, "services §5.3",
        for "one of several members refuses while the others serve, or the service comes and goes",
        against "the same client was served between its failures",
        [H1 -20, H2 -10, H3 5, H5 -10, H6 -20, H7 -20, H8 -10, H39 20, H40 2], excludes [H4];
    /// A property of the queries parts failures and answers completely.
    PROPERTY_SPLITS: 86 OtherTraffic, "services §5.2 H40",
        for "what decides is in the query, as a rule or an old server treats it",
        against "the service answers other queries of the same client at the same time",
        [H1 -20, H2 2, H3 2, H5 2, H6 -20, H7 -20, H8 -5, H22 0, H29 -10, H39 -20, H40 20], excludes [H4];
    /// The same where a regular order parts them as well.
    PROPERTY_OR_ORDER_SPLITS: 86 OtherTraffic, "services §5.2 H40",
        for "what decides is in the query, or its place in the order",
        against "the service answers other queries of the same client at the same time",
        [H1 -20, H2 2, H3 2, H5 2, H6 -20, H7 -20, H8 -5, H22 0, H29 -10, H39 0, H40 20], excludes [H4];
    /// The record type parts them: a rule, or a zone whose servers ignore the type.
    TYPES_SPLIT: 86 OtherTraffic, "services §5.2 H40",
        for "the type decides: a rule on it, or servers of the zone that ignore it",
        against "the service answers other queries of the same client at the same time",
        [H1 -20, H2 -5, H5 -5, H6 -20, H7 -20, H8 -5, H13 10, H22 -20, H29 -10, H39 -20, H40 10], excludes [H4];
    /// Names part them: the resolver works longer on some than its client waits.
    NAMES_SPLIT: 86 OtherTraffic, "services §5.2 H40",
        for "the name decides: what the server must ask for it does not answer",
        against "the service answers other queries of the same client at the same time",
        [H1 -20, H2 -5, H5 -5, H6 -20, H7 -20, H8 -5, H13 10, H22 -20, H29 -10, H39 -20, H40 2], excludes [H4];
    /// Failures and answers of one client follow each other in a regular order.
    REGULAR_ORDER: 87 Timing, "services §5.2 H39",
        for "members that are asked in turn fail in turn",
        against "loss and filters by address know no turns",
        [H2 -10, H29 -10, H39 20, H40 0];
    /// The same where failures are silence, which load and full tables make in turns as well.
    REGULAR_SILENCE: 87 Timing, "services §5.2 H39",
        for "members that are asked in turn fail in turn",
        against "loss and filters by address know no turns",
        [H2 -10, H29 -10, H39 10, H40 0];
}
