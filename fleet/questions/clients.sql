-- How many clients of each site asked, and how many of them saw a failure.
SELECT site,
       count(DISTINCT client_ip) AS clients,
       count(DISTINCT CASE WHEN failed THEN client_ip END) AS hit,
       round(CAST(100 * count(DISTINCT CASE WHEN failed THEN client_ip END) AS DOUBLE) / count(DISTINCT client_ip), 1) AS percent_hit
FROM dns
GROUP BY site
ORDER BY site;
