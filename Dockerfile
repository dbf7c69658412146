# syntax=docker/dockerfile:1

# The image holds one static program, the certificates it trusts, and nothing else: no shell, no package manager.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -o /out/lanyard ./cmd/lanyard \
	&& mkdir -p /out/data /out/tmp \
	&& echo 'lanyard:x:65532:65532::/data:/sbin/nologin' > /out/passwd

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/passwd /etc/passwd
COPY --from=build --chown=65532:65532 --chmod=0700 /out/data /data
COPY --from=build --chown=65532:65532 --chmod=0700 /out/tmp /tmp
COPY --from=build /out/lanyard /lanyard

USER 65532:65532
WORKDIR /data
# Inside a container the loopback address would reach nobody.
ENV LANYARD_LISTEN=0.0.0.0:8420 \
	LANYARD_DATA_DIR=/data
VOLUME /data
# 8420: portal and API. 8421: the gateway, where one is configured.
EXPOSE 8420 8421
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["/lanyard", "doctor", "--quiet"]
ENTRYPOINT ["/lanyard"]
CMD ["serve"]
