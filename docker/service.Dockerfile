# The service on CPU, with its language model in process. Build through compose: docker compose build service
FROM python:3.11-slim-bookworm AS build

# CPU builds of torch are a tenth the size of PyPI's CUDA builds
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/beat-serve
ENV PATH=/opt/beat-serve/bin:$PATH

# Requirements first: this layer changes only with the two files
COPY pyproject.toml constraints.txt ./
RUN pip install --no-deps --index-url "$TORCH_INDEX" "$(grep '^torch==' constraints.txt)" \
 && python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *p['optional-dependencies']['cpu'], sep='\n')" > requirements.txt \
 && pip install --constraint constraints.txt --requirement requirements.txt

COPY README.md LICENSE ./
COPY service service
COPY model_store model_store
COPY training training
RUN pip install --no-deps .

FROM python:3.11-slim-bookworm

RUN useradd --system --uid 10001 --no-create-home beat
COPY --from=build /opt/beat-serve /opt/beat-serve
ENV PATH=/opt/beat-serve/bin:$PATH PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 \
    BEAT_HOST=0.0.0.0 BEAT_PORT=8000 BEAT_STORE=/models
USER 10001
EXPOSE 8000
ENTRYPOINT ["beat-serve"]
CMD ["run"]
