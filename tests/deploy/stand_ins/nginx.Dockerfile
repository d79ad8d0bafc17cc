# Takes the place of the official image of nginx, as far as compose.yaml uses it.
FROM cards-test-nodes:latest
RUN ln -sf /dev/stderr /var/log/nginx/error.log
ENV PATH=/usr/sbin:/usr/bin:/bin
CMD ["nginx", "-g", "daemon off;"]
