# Two images from one binary, from the build context alone: no base image is pulled.
#   docker/rootfs.sh docker/root          a small Debian userland
#   cp dist/bin/nunu-ci-linux-x64 docker/nunu-ci
#   docker build --target scratch .       for GitHub container actions and plain docker run
#   docker build .                        for GitLab CI and docker.image().inside in Jenkins

FROM scratch AS scratch
COPY docker/root/etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --chmod=755 docker/nunu-ci /usr/local/bin/nunu-ci
ENV PATH=/usr/local/bin
ENTRYPOINT ["/usr/local/bin/nunu-ci"]

# No entrypoint: GitLab and Jenkins start a shell of their own in it. Works as any user, without HOME.
FROM scratch AS default
COPY docker/root/ /
COPY --chmod=755 docker/nunu-ci /usr/local/bin/nunu-ci
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["sh"]
