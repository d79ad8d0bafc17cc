# Takes the place of the official image of PostgreSQL, as far as compose.yaml uses it.
FROM cards-test-nodes:latest
RUN usermod --non-unique --uid 999 postgres && groupmod --non-unique --gid 999 postgres \
    && rm -rf /var/lib/postgresql /etc/postgresql \
    && install -d -o 999 -g 999 -m 0700 /var/lib/postgresql/data \
    && ln -s /usr/lib/postgresql/*/bin /usr/lib/postgresql/bin
ENV PATH=/usr/lib/postgresql/bin:/usr/bin:/bin LANG=C.UTF-8
COPY postgres.sh /usr/bin/docker-entrypoint.sh
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
