# Takes the place of the official image of RabbitMQ, as far as compose.yaml uses it.
FROM cards-test-nodes:latest
RUN usermod --non-unique --uid 999 rabbitmq && groupmod --non-unique --gid 999 rabbitmq \
    && rm -rf /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq \
    && install -d -o 999 -g 999 /var/lib/rabbitmq /etc/rabbitmq \
    && echo '[].' > /etc/rabbitmq/enabled_plugins
ENV PATH=/usr/lib/rabbitmq/bin:/usr/lib/erlang/bin:/usr/bin:/bin LANG=C.UTF-8 HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
CMD ["rabbitmq-server"]
