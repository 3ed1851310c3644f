# syntax=docker/dockerfile:1
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="millrace" \
      org.opencontainers.image.description="Kafka Streams-style stream processing for Node.js, and the ticket sale that runs on it" \
      org.opencontainers.image.licenses="MIT"
# The API is open to the network here: say AUTH=jwt (docs/security.md), or AUTH=none where what is in front decides who gets there.
ENV NODE_ENV=production HTTP_HOST=0.0.0.0 STREAMS_STATE_DIR=/var/lib/millrace/state EMBEDDED_DATA_DIR=/var/lib/millrace/kafka
WORKDIR /app
COPY --from=build --chown=node:node /app/package.json ./
COPY --from=build --chown=node:node /app/node_modules ./node_modules
COPY --from=build --chown=node:node /app/dist ./dist
RUN mkdir -p /var/lib/millrace && chown node:node /var/lib/millrace
VOLUME /var/lib/millrace
USER node
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.HTTP_PORT ?? 8080) + '/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/cli/main.js", "start"]
