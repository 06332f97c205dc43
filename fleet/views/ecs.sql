-- Lookups by the names of the Elastic Common Schema.
CREATE OR REPLACE VIEW ecs_dns AS
SELECT ts AS "@timestamp", client_ip AS "source.ip", client_port AS "source.port", server_ip AS "destination.ip",
       server_port AS "destination.port", transport AS "network.transport", CAST(dns_id AS VARCHAR) AS "dns.id",
       qname AS "dns.question.name", qtype AS "dns.question.type",
       CASE WHEN answer_frames IS NOT NULL THEN detail END AS "dns.response_code",
       CASE WHEN failed THEN 'failure' WHEN failed IS NULL THEN 'unknown' ELSE 'success' END AS "event.outcome",
       rtt_ns AS "event.duration", sensor AS "observer.name", site AS "observer.geo.name",
       capture AS "file.name", capture_sha256 AS "file.hash.sha256", evidence AS "event.reference"
FROM dns;
