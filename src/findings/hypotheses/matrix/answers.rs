//! Rows from silence, from answers that report a failure, from load and from lost fragments.

use super::matrix;

matrix! {
    /// Silence that would have been seen.
    SILENCE: 10 ErrorSemantics, "hypotheses §3",
        for "a filter that drops, loss, and a host that is gone are all silent",
        against "a live host without a listener normally sends port unreachable, and a working server answers",
        [H1 -10, H2 -5, H3 0, H4 2, H5 0, H6 5, H7 2, H8 5, H9 2, H13 -5, H17 -5, H20 -10];
    /// The same where nobody was ever heard and another resolver answered: a wrong address sends the same packets.
    SILENCE_UNHEARD: 10 ErrorSemantics, "hypotheses §3",
        for "a filter that drops, loss, and a host that is gone are all silent",
        against "a live host without a listener normally sends port unreachable, and a working server answers",
        [H1 -10, H2 -5, H3 0, H4 5, H5 0, H6 5, H7 2, H8 5, H9 2, H13 -5, H17 -5, H20 -10];
    /// SERVFAIL.
    SERVER_FAILURE: 16 ErrorSemantics, "hypotheses §3",
        for "the code names this kind of failure (RFC 1035 §4.1.1)",
        against "the server received the query and answered it",
        [H9 2, H13 10, H14 0, H15 0, H17 0, H20 -5], excludes [H1, H2, H3, H4, H5, H6, H7, H8];
    /// REFUSED.
    REFUSED: 16 ErrorSemantics, "hypotheses §3",
        for "the code names this kind of failure (RFC 1035 §4.1.1)",
        against "the server received the query and answered it",
        [H9 2, H13 0, H14 10, H15 0, H17 0, H20 -5], excludes [H1, H2, H3, H4, H5, H6, H7, H8];
    /// Refused questions take turns with served ones of the same clients, zones and types.
    REFUSED_AMID_SERVED: 211 OtherTraffic, "services §5.2 H47",
        for "no rule about who asks or for what takes turns; a limit on what waits at once, or on the rate, does",
        against "the same is served to the same clients in between",
        [H47 10, H9 2, H14 -10];
    /// The same while the server waits for many answers of others.
    REFUSED_WHILE_WAITING: 211 OtherTraffic, "services §5.2 H47",
        for "it refuses while many questions of its own wait, and serves the same when they do not",
        against "the same is served to the same clients in between",
        [H47 20, H9 5, H13 2, H14 -10];
    /// NXDOMAIN.
    NAME_ERROR: 16 ErrorSemantics, "hypotheses §3",
        for "the code names this kind of failure (RFC 1035 §4.1.1)",
        against "the server received the query and answered it",
        [H9 2, H13 0, H14 0, H15 20, H17 0, H20 -5], excludes [H1, H2, H3, H4, H5, H6, H7, H8];
    /// Another error code in the answers.
    OTHER_CODE: 16 ErrorSemantics, "hypotheses §3",
        for "the code names this kind of failure (RFC 1035 §4.1.1)",
        against "the server received the query and answered it",
        [H9 2, H13 5, H14 2, H15 0, H17 0, H20 -5], excludes [H1, H2, H3, H4, H5, H6, H7, H8];
    /// FORMERR, NOTIMP or BADVERS: the server says that it cannot read the query.
    FORMAT_ERROR: 16 ErrorSemantics, "hypotheses §2 H40, RFC 1035 §4.1.1",
        for "the code is about the form of the query",
        against "the server received the query and answered it",
        [H9 0, H13 -10, H14 0, H15 0, H17 0, H20 -5, H40 10], excludes [H1, H2, H3, H4, H5, H6, H7, H8];
    /// The same, and all that failed carried EDNS.
    EDNS_UNKNOWN: 206 OtherTraffic, "RFC 6891 §6.2.6, §7",
        for "a server that does not know EDNS answers like that, and who asks is to ask again without",
        against "the server says that it cannot read the query; it did not look further",
        [H13 -10, H14 -10, H40 10];
    /// TCP accepted the question and ended without an answer, by the server's own FIN or RST.
    CLOSED_UNANSWERED: 104 ErrorSemantics, "services §5.3",
        for "the service took the question and ended the connection itself",
        against "the connection was accepted and the question acknowledged: host, port and path work",
        [H3 5, H5 -20, H6 -20, H7 -20, H8 -20, H9 5, H14 5, H26 10, H27 -10, H29 -5], excludes [H1, H2];
    /// TCP accepted and acknowledged the question, and nothing came.
    MUTE: 105 ErrorSemantics, "services §5.3",
        for "the kernel acknowledges for a service that does not answer",
        against "the connection was accepted and the question acknowledged: host, port and path work",
        [H3 2, H5 -10, H6 -20, H7 -20, H8 -20, H9 2, H27 20, H29 -5], excludes [H1, H2];
    /// Large data of the server over TCP were never acknowledged, while small answers over TCP were.
    LARGE_UNACKNOWLEDGED: 122 OtherTraffic, "services §5.2 H24",
        for "what decides is the size: a link with a smaller MTU whose messages are lost, or a filter on large packets",
        against "the connection and small answers got through",
        [H11 20, H1 -20, H2 -20, H3 -5, H5 -5, H6 -20, H8 -10, H27 -20, H29 -5, H39 -20, H40 2];
    /// The same where no small answer over TCP is there to compare.
    DATA_UNACKNOWLEDGED: 122 OtherTraffic, "services §1.4",
        for "data are lost on the path, large ones at least, while the handshake got through",
        against "the connection came about and the server answered",
        [H11 10, H1 -20, H2 -20, H5 -5, H6 -20, H8 2, H27 -20, H29 2];
    /// Other traffic between client and server flows.
    OTHER_TRAFFIC: 32 OtherTraffic, "hypotheses §2 H8",
        for "the path and the host work; only this port is silent, as a filter makes it",
        [H8 5];
    /// All names failed alike.
    ALL_NAMES_FAIL: 33 OtherTraffic, "hypotheses §2 H8",
        for "what is dropped does not depend on the name",
        [H8 5];
    /// The server answers echo requests.
    ECHO_WORKS: 34 OtherTraffic, "hypotheses §2 H8",
        for "the host is there and reachable; only this port is silent",
        [H8 5];
    /// Load cannot be judged from here.
    LOAD_UNKNOWN: 35 Load, "hypotheses §2 H9",
        [H9 0];
    /// The query rate rose far above its own baseline.
    RATE_HIGH: 36 Load, "hypotheses §2 H9",
        for "the rate is at least ten times its own baseline",
        [H9 10];
    /// The same while others' queries failed.
    RATE_HIGH_MEANWHILE: 36 Load, "hypotheses §2 H9",
        for "the failures fall into the time in which the rate is at least ten times its own baseline",
        against "what fails then fails for want of capacity, not by chance or by rule",
        [H9 20, H8 -5, H29 -10, H39 -10];
    /// The query rate is low although all of it would be seen.
    RATE_LOW: 37 Load, "hypotheses §2 H9",
        against "a flood would be seen here and is not",
        [H9 -10];
    /// Random labels under one zone, from many clients or where all of them would be seen.
    RANDOM_LABELS: 38 Load, "hypotheses §2 H9",
        for "names made up at random cannot be cached and exhaust resolver and zone",
        [H9 20];
    /// The same from few clients.
    RANDOM_LABELS_FEW: 38 Load, "hypotheses §2 H9",
        for "names made up at random cannot be cached and exhaust resolver and zone",
        [H9 10];
    /// A flood of queries whose answers are much larger.
    AMPLIFICATION: 39 Load, "hypotheses §2 H9",
        for "a forged source turns the server into an amplifier against that address",
        [H9 10];
    /// A host refuses unsolicited answers from many resolvers.
    REFLECTION_VICTIM: 40 Load, "hypotheses §2 H9",
        for "queries with this address as forged source make resolvers send their answers here",
        [H9 20, H19 2];
    /// Round trips grew before answers were lost.
    RISING_DELAY: 41 Timing, "hypotheses §2 H9",
        for "queues grow before answers are lost",
        [H9 5, H19 2];
    /// Silent queries between rate-limited errors.
    RATE_LIMITED: 42 Timing, "hypotheses §2 H10",
        for "hosts limit the rate of errors (6 at once, then 1 a second on Linux); the refusal was continuous",
        against "the silence is explained by rate limiting of the errors",
        [H10 20, H8 -5];
    /// Small answers arrive, large ones do not.
    LARGE_FAIL: 43 OtherTraffic, "hypotheses §2 H11",
        for "the failure depends on size",
        against "the server answers, the path carries small packets",
        [H11 10, H6 -20, H1 -20];
    /// All answers lost are larger than all that arrived.
    LARGE_ONLY_LOST: 43 OtherTraffic, "hypotheses §2 H11",
        for "what decides is the size: a link with a smaller MTU whose messages are lost, or a filter on large packets",
        against "small answers of the same server arrive",
        [H11 20, H5 -5, H6 -20, H1 -20, H8 -10, H29 -20, H39 -20];
    /// First fragments without the rest.
    FRAGMENT_MISSING: 44 Integrity, "hypotheses §2 H11",
        for "the path loses fragments",
        against "the answer left the server and arrived in part",
        [H11 10, H8 -10, H1 -20, H2 -10, H6 -20, H5 -5];
    /// The client reported reassembly time exceeded.
    REASSEMBLY_EXPIRED: 45 ErrorSemantics, "hypotheses §2 H11",
        for "the receiver waited for the missing fragments and gave up (RFC 792, RFC 8200 §4.5)",
        against "the answer left the server and arrived in part",
        [H11 20, H8 -10, H1 -20, H6 -20, H12 0];
    /// Packet too big, quoting the server's answers.
    TOO_BIG: 46 ErrorSemantics, "hypotheses §2 H11",
        for "a link on the path is too small for the server's answers",
        [H11 10, H8 -5];
    /// A smaller size or TCP succeeded.
    SMALLER_WORKS: 47 OtherTraffic, "hypotheses §2 H11",
        for "avoiding large datagrams avoids the failure",
        [H11 10];
    /// Extended error 1, 2, 5–12, 24, 25 or 27: validation or data of the zone.
    EXTENDED_ZONE: 49 ErrorSemantics, "hypotheses §2 H13, H14",
        for "the server itself names the reason (RFC 8914)",
        against "the server names another reason (RFC 8914)",
        [H13 20];
    /// Extended error 22 or 23: no reachable authority, network error.
    EXTENDED_UPSTREAM: 49 ErrorSemantics, "hypotheses §2 H13, H14",
        for "the server itself names the reason (RFC 8914)",
        against "the server names another reason (RFC 8914)",
        [H13 10];
    /// Extended error 3, 13, 14 or 19: stale, cached, not ready.
    EXTENDED_STATE: 49 ErrorSemantics, "hypotheses §2 H13, H14",
        for "the server itself names the reason (RFC 8914)",
        against "the server names another reason (RFC 8914)",
        [H13 5];
    /// Extended error 15–18: the server says that it filters, not that the name does not exist.
    EXTENDED_FILTERED: 49 ErrorSemantics, "hypotheses §2 H13, H14",
        for "the server itself names the reason (RFC 8914)",
        against "the server names another reason (RFC 8914)",
        [H14 20, H15 -10];
    /// Extended error 20 with REFUSED: not authoritative.
    EXTENDED_NOT_AUTHORITATIVE: 49 ErrorSemantics, "hypotheses §2 H13, H14",
        for "the server itself names the reason (RFC 8914)",
        against "the server names another reason (RFC 8914)",
        [H14 10];
    /// Any other extended error.
    EXTENDED_OTHER: 49 ErrorSemantics, "hypotheses §2 H13, H14",
        for "the server itself names the reason (RFC 8914)",
        against "the server names another reason (RFC 8914)",
        [H13 2];
    /// Only this zone fails with SERVFAIL.
    ONE_ZONE_FAILS: 50 OtherTraffic, "hypotheses §2 H13",
        for "the fault follows the zone, not the resolver",
        against "the server resolves other names at the same time",
        [H13 10, H9 -5];
    /// Only this zone fails, and random labels are asked under it: they fail in one zone, whatever is at fault.
    ONE_ZONE_FLOODED: 50 OtherTraffic, "hypotheses §2 H13",
        for "the fault follows the zone, not the resolver",
        against "the server resolves other names at the same time",
        [H13 0, H9 0];
    /// Only this zone is refused.
    ONE_ZONE_REFUSED: 50 OtherTraffic, "hypotheses §2 H13",
        for "the fault follows the zone, not the resolver",
        against "the server resolves other names at the same time",
        [H13 2, H14 5, H9 -5];
    /// Only this zone meets another code.
    ONE_ZONE_OTHERWISE: 50 OtherTraffic, "hypotheses §2 H13",
        for "the fault follows the zone, not the resolver",
        against "the server resolves other names at the same time",
        [H9 -5];
    /// Several resolvers fail alike.
    SEVERAL_RESOLVERS: 51 OtherTraffic, "hypotheses §2 H13",
        for "independent resolvers agree",
        [H13 10];
    /// The answer came from another address.
    OTHER_ADDRESS: 52 ErrorSemantics, "hypotheses §2 H16",
        for "the answer exists, but clients drop it because of its source (RFC 2181 §4.1)",
        against "the query was answered, from another address",
        [H16 20, H8 -10, H1 -10, H6 -10, H3 2];
    /// The same for each question that is called silent: it was answered, from another address.
    OTHER_ADDRESS_ALL: 52 ErrorSemantics, "hypotheses §2 H16",
        for "the answer exists, but clients drop it because of its source (RFC 2181 §4.1)",
        against "each query was answered, from another address: nothing was dropped",
        [H16 20, H1 -20, H2 -20, H3 2, H5 -20, H6 -20, H8 -20, H22 -20, H29 -20, H39 -20, H40 -20];
    /// The answer was late.
    LATE_ANSWER: 59 ErrorSemantics, "hypotheses §2 H19",
        for "the answers exist but come too late to be used: packets wait on the way, or the server works that long",
        against "the server answered",
        [H19 10, H30 10, H31 10, H9 2, H13 2, H8 -10, H20 -5], excludes [H1, H2, H4, H6, H7];
    /// The capture shows one direction only, or is damaged.
    ONE_SIDED: 62 Integrity, "hypotheses §2 H21",
        for "answers and errors would not have been captured",
        [H21 20, H8 0];
    /// Only new flows fail, in bursts.
    NEW_FLOWS_FAIL: 63 OtherTraffic, "hypotheses §2 H22",
        for "what fails is every new flow, not one server: a translation or connection table may be full",
        against "other destinations fail as well",
        [H22 10, H8 -2, H6 -10, H4 -10];
    /// Other hosts behind the same translator fail as well.
    NEIGHBOURS_FAIL: 64 OtherTraffic, "hypotheses §2 H22",
        for "hosts behind the same translator share its table",
        [H22 5];
    /// Some new flows succeed in between.
    INTERMITTENT_FLOWS: 72 Timing, "hypotheses §2 H22",
        for "entries become free from time to time",
        [H22 5];
    /// A name that is denied was answered at another time.
    EXISTED_BEFORE: 74 OtherTraffic, "hypotheses §2 H15",
        for "the name was removed, expired or changed meanwhile",
        [H15 10, H13 2];
    /// The same, and the zone had another serial number before.
    ZONE_CHANGED: 74 OtherTraffic, "hypotheses §2 H15, RFC 1035 §3.3.13",
        for "the zone was changed, and the name went with that",
        against "the data are from after the change",
        [H15 20, H13 -5, H14 -5, H16 -5];
    /// Another resolver gives a client what this one denies it later.
    DENIED_AFTER_MOVE: 132 OtherTraffic, "services §5.2 H37",
        for "the client was given the name by the one and asked the other for it afterwards",
        against "the name exists according to another resolver",
        [H37 20, H13 -5, H15 -10, H16 2];
    /// Another resolver gives what this one denies in a zone of which it gives other names.
    DENIED_IN_ZONE: 205 OtherTraffic, "services §5.2 H37, hypotheses §2 H16",
        for "the two look at different data of one zone: an older copy behind the one, or another view",
        against "the name exists according to another resolver",
        [H37 20, H16 20, H13 -5, H15 -20];
    /// Another resolver gives others what this one denies.
    DENIED_TO_OTHERS: 132 OtherTraffic, "services §5.2 H37",
        for "the name exists where the other one looks",
        against "the name exists according to another resolver",
        [H37 10, H14 2, H15 -5, H16 2];
    /// Only one zone is unknown, and names of others are answered.
    ONE_ZONE_UNKNOWN: 133 ErrorSemantics, "services §5.2 H37",
        for "what is missing is one zone: the resolver works",
        against "the resolver gives data for other names",
        [H37 10, H13 -2];
    /// Responses to the asking ports that fit no query: another id or question.
    OTHER_ANSWER: 81 ErrorSemantics, "hypotheses §2 H16, H23",
        for "the answer comes, but clients must ignore what fits no question of theirs (RFC 5452 §9.1)",
        against "something at the server's address received the query and responded",
        [H16 10, H23 5, H8 -10, H1 -20, H6 -20, H3 2];
    /// No packet has another port than DNS's: errors may have been left out.
    PORT_ONLY: 82 Integrity, "hypotheses §2 H21",
        for "a refusal would look like silence in such a capture",
        [H1 5, H2 2, H3 2, H4 2, H5 2, H21 10];
    /// Every question was answered in the end.
    SERVED_LATE: 88 ErrorSemantics, "truth T22",
        for "answers came, but late",
        against "the server answered",
        [H13 0, H19 0], excludes [H1, H2, H3, H4, H5, H6, H7, H8];
    /// EDNS parts tries that were lost from tries that were served.
    TRIES_SPLIT: 89 OtherTraffic, "services §5.2 H40",
        for "a device on the path drops such queries, or the server ignores them",
        against "what decides is in the query, not chance or time",
        [H29 -10, H30 -20, H31 -20, H39 -20, H40 20, H42 -10];
    /// Of two queries sent at once one was lost, more than once.
    PAIR_TORN: 90 OtherTraffic, "services §5.2 H42",
        for "a translator or firewall that makes the entry of a new flow twice drops one of the two (a race)",
        against "only first packets sent at once are lost",
        [H29 2, H30 -10, H31 -10, H42 20];
    /// Many questions were answered only after a repeat.
    REPEATED_MANY: 91 ErrorSemantics, "services §5.2 H29",
        for "queries or answers are lost on the way, and repeats get through",
        against "answered tries are answered at once",
        [H9 2, H29 20, H30 -5, H31 -5, H42 0];
    /// The same where few were asked.
    REPEATED_FEW: 91 ErrorSemantics, "services §5.2 H29",
        for "queries or answers are lost on the way, and repeats get through",
        against "answered tries are answered at once",
        [H9 2, H29 10, H30 -5, H31 -5, H42 0];
    /// Answers to questions asked once took long.
    SLOW_TRIPS: 92 ErrorSemantics, "services §5.2 H30, H31",
        for "packets wait on the way, or the server works that long",
        against "what is answered was not lost",
        [H9 2, H13 2, H29 -5, H30 10, H31 10];
    /// The server itself waited for another one as long for the same questions.
    UPSTREAM_SLOW: 120 OtherTraffic, "services §5.2 H31",
        for "the server got its own answer only then: the time passes behind it",
        against "the server answers as soon as it has an answer itself",
        [H13 20, H19 -10, H30 -20, H31 -10];
    /// The capture was taken at the server, and its answers leave it late.
    SLOW_AT_SERVER: 93 Timing, "services §5.2 H31",
        for "the time passes inside the server or behind it",
        against "the path to the client comes after this point",
        [H30 -20, H31 20];
    /// Handshakes with the server are fast.
    HANDSHAKE_FAST: 93 Timing, "services §5.2 H31",
        for "the path is fast: the time passes inside the server or behind it",
        against "the path is fast",
        [H30 -20, H31 20];
    /// Handshakes with the server are as slow as its answers.
    HANDSHAKE_SLOW: 93 Timing, "services §5.2 H30",
        for "everything on this path takes that long",
        against "the kernel answers handshakes without the service",
        [H30 20, H31 -20];
    /// Other answers of the server are fast at the same time.
    FAST_BESIDE: 94 OtherTraffic, "services §5.2 H31",
        for "some questions take the server long, as those do that it must ask others for",
        against "the path delays all packets alike",
        [H13 5, H30 -10, H31 10];
    /// One question was answered whole, cut and not at all.
    RESPONSES_LIMITED: 95 OtherTraffic, "hypotheses §2 H9, H14",
        for "a server that limits its responses cuts some of the excess and drops the rest",
        against "the server itself chooses which queries it answers how",
        [H8 -10, H9 5, H14 20, H29 -20, H39 -20];
    /// Queries sent again from the same port were never answered from there, others at once.
    FLOWS_STICK: 118 Timing, "services §5.2 H39",
        for "what decides belongs to the flow: a member behind the address, or an entry in a translator's table",
        against "a repeat from the same port fares as the first did, which chance would not",
        [H8 0, H22 5, H29 -10, H39 10, H40 2];
    /// Queries sent again from the same port were often answered.
    FLOWS_RECOVER: 118 Timing, "services §5.2 H29",
        for "repeats of the same flow get through, as with loss",
        against "a member or an entry that is dead for a flow stays dead for its repeats",
        [H22 -5, H29 10, H39 -10, H40 -10];
    /// Failing queries were not captured behind a translator that sent others on.
    NOT_SENT_ON: 119 Generator, "hypotheses §2 H22",
        for "the translator between the two capture points took the query and did not send it on",
        against "the query never came to what lies behind that device",
        [H1 -20, H2 -20, H3 -10, H4 -20, H5 5, H6 -20, H7 -10, H8 -5, H9 -20, H13 -20, H22 20, H29 -20, H39 -20];
    /// The same where nothing shows that the device translates.
    NOT_FORWARDED: 119 Generator, "services §3.2",
        for "a device between the two capture points took the query and did not send it on",
        against "the query never came to what lies behind that device",
        [H1 -20, H2 -20, H3 -10, H4 -20, H5 10, H6 -20, H7 0, H8 10, H9 -20, H13 -20, H22 5, H29 -10, H39 -20];
    /// The same where a property of the queries parts them from those sent on.
    NOT_FORWARDED_BY_RULE: 119 Generator, "services §3.2, §5.2 H40",
        for "the device between the two capture points sends on other queries of the same clients, and not these",
        against "the query never came to what lies behind that device",
        [H1 -20, H2 -20, H3 -10, H4 -20, H5 5, H6 -20, H7 -20, H8 0, H9 -20, H13 -20, H22 0, H29 -20, H39 -20, H40 20];
    /// Answers passed the capture point and did not reach who asked.
    ANSWER_LOST: 116 ErrorSemantics, "truth T11, T12",
        for "something between this point and the client drops answers",
        against "the server answered",
        [H1 -20, H2 -10, H5 5, H6 -20, H8 5, H9 -10, H29 5];
    /// The same where other answers to the same clients got through meanwhile.
    ANSWER_LOST_AMID: 116 ErrorSemantics, "truth T11, services §5.2 H29",
        for "something between this point and the client loses some answers and lets others pass",
        against "the server answered",
        [H1 -20, H2 -10, H5 -5, H6 -20, H8 0, H9 -10, H29 10];
    /// The same where no answer got through to those clients while it lasted.
    ANSWER_LOST_ALL: 116 ErrorSemantics, "truth T11, T12",
        for "something between this point and the client drops every answer to it",
        against "the server answered",
        [H1 -20, H2 -10, H5 10, H6 -20, H8 10, H9 -10, H29 -10];
    /// Answers came to the asking host's link and were not taken there.
    ANSWER_IGNORED: 116 ErrorSemantics, "truth T7, hypotheses §2 H19",
        for "the asking host's own packet filter, or a socket closed too soon, keeps the answers from who asked",
        against "the answers arrived on the asking host's link",
        [H1 -20, H2 -20, H3 -20, H5 2, H6 -20, H8 -20, H9 -10, H19 20, H29 -20];
    /// The same server gives data for the same question over another transport.
    CONTRADICTED_BY_TRANSPORT: 125 OtherTraffic, "services §5.2 H23",
        for "a device on the way answers one transport in the server's name and lets the other pass",
        against "the server itself has the name",
        [H13 -10, H14 -5, H15 -20, H23 20];
    /// The same server gives data for the same question to others.
    CONTRADICTED_BY_CLIENT: 125 OtherTraffic, "services §5.2 H23, hypotheses §2 H14",
        for "a device on one client's way answers in the server's name, or the server tells its clients different things (views)",
        against "the server has the name",
        [H13 -5, H14 10, H15 -10, H23 10];
    /// The server answered others of the same time seconds later: it hung, or was overloaded, and its queue ran over.
    LATE_BESIDE: 130 OtherTraffic, "hypotheses §2 H9, services §5.2 H31",
        for "what waited was answered when the server went on; what its queue could not hold was lost",
        against "the queries of that time reached the server",
        [H1 -20, H2 -10, H3 -5, H5 -20, H6 -20, H7 -20, H8 -10, H9 10, H27 2, H29 -10, H31 20, H39 -10, H40 -10],
        excludes [H4];
    /// Silence from one moment on where every query comes from a port of its own and was answered before.
    NEW_PORTS_FAIL: 128 Timing, "hypotheses §2 H22",
        for "a translator that ran out of ports or entries drops every new flow",
        [H22 5];
    /// New connections of the same time pass the same router.
    NEW_FLOWS_PASS: 210 OtherTraffic, "hypotheses §2 H22",
        for "what has no free entry refuses every new flow",
        against "new flows find entries meanwhile",
        [H22 -20, H7 -5, H33 -10];
    /// Only questions of types with large answers fail.
    LARGE_TYPES_FAIL: 129 OtherTraffic, "hypotheses §2 H11",
        for "questions with large answers fail and others are answered meanwhile",
        against "what decides goes with the type: the size of the answer, or the type itself",
        [H11 10, H1 -20, H4 -20, H6 -20, H8 2, H13 5, H22 -5, H29 -10, H39 -20, H40 5];
    /// The same server answers the same question where checking is disabled (CD).
    CHECKING_DISABLED_WORKS: 131 OtherTraffic, "RFC 4035 §3.2.2, hypotheses §2 H13",
        for "the data are there, and only their validation fails (DNSSEC)",
        against "the server gives the data to who does not want them checked",
        [H9 -10, H13 20, H14 -10, H15 -20, H23 -10];
    /// Answers came with wrong checksums, which receivers throw away.
    ANSWER_DAMAGED: 127 ErrorSemantics, "truth T14",
        for "something on the way changes packets and leaves their checksums wrong",
        against "the server answered, and the answer came, damaged",
        [H1 -20, H2 -20, H5 -10, H6 -20, H8 -10, H9 -10, H29 20, H39 -10];
    /// A device on the way reported that it did not deliver answers.
    ANSWER_REJECTED: 117 ErrorSemantics, "truth T13",
        for "a device on the way says that it refuses answers",
        against "the server answered, and who refused said so",
        [H1 -20, H2 -10, H5 20, H6 -20, H8 -10, H9 -10, H29 -10];
}
