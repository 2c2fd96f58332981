# Two images, both made of the build context alone: no base image is pulled.
#
#     sh dist/image-context.sh CONTEXT        # binary, CA roots and a small Debian userland
#     docker build -f Dockerfile -t nunu-ci:0.3.0 CONTEXT
#     docker build -f Dockerfile --target scratch -t nunu-ci:0.3.0-scratch CONTEXT

FROM scratch AS base
LABEL org.opencontainers.image.title="nunu-ci" \
      org.opencontainers.image.description="Upload a build to nunu.ai, run AI play-tests on real devices, and fail the CI job honestly." \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY common/ /

# For `docker run` and container actions: the program is the image. Nothing below is built from the empty `scratch` any more.
# hadolint ignore=DL3063
FROM base AS scratch
COPY nunu-ci /nunu-ci
ENTRYPOINT ["/nunu-ci"]

# The default, for GitLab CI and Jenkins' `docker.image().inside`: they bring their own commands, so there is no entrypoint. Works as
# any user, without HOME, with a read-only root.
FROM base AS default
COPY rootfs/ /
COPY nunu-ci /usr/local/bin/nunu-ci
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["/bin/sh"]
