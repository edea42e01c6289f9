# The worker, the server and the command line as static binaries, in an image with nothing else:
# no shell, no packages, no root.
ARG GO_VERSION=1.26.8

FROM golang:${GO_VERSION}-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# timetzdata: a last day ends in a member's time zone, and the image has no zone files.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags timetzdata -ldflags '-s -w' \
    -o /out/ ./worker ./server ./starter ./internal/probe \
    && go run ./internal/licenses --texts /out/licenses.txt

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/ /
USER 65532:65532
# Reachable from outside the container; what is published is the platform's choice.
ENV HANDOVER_HEALTH_ADDRESS=:8081 HANDOVER_LISTEN_ADDRESS=:8080
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["/probe", "http://127.0.0.1:8081/readyz"]
ENTRYPOINT ["/worker"]
