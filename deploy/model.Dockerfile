# An image that serves one approved checkpoint on a cloud: a project with its suites, runs and adapter on top of
# tunegate's own image. Build from the project's folder:
#
#   docker build -f model.Dockerfile --build-arg IMAGE=tunegate:cuda -t model:cuda PROJECT
#
# A platform starts it as `IMAGE serve`; SERVE is what `tunegate serve` gets then. The container's environment can
# replace it: TUNEGATE_SERVE_ARGS. The key comes from the environment too: TUNEGATE_SERVE_KEY.
ARG IMAGE=tunegate:cuda
FROM ${IMAGE}
ARG UID=10001
COPY --chown=$UID . /project
ARG SERVE="adapter --platform sagemaker"
ENV TUNEGATE_SERVE_ARGS=$SERVE
EXPOSE 8080
CMD ["serve"]
