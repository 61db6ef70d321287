# The shop's services, all from one image; the command says which.
#
#   docker build -f docker/shop.Dockerfile -t tracegap-shop .
#
# To lock its packages anew, at the versions of the project's own lock file:
#   uv pip compile docker/shop.in -c requirements.lock --python-version 3.12 --universal --generate-hashes \
#     --no-emit-index-url --no-header --no-annotate -o docker/shop.lock

FROM python:3.12.11-slim-bookworm AS packages
COPY docker/shop.lock /shop.lock
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r /shop.lock \
    && /venv/bin/pip uninstall --yes --quiet pip

FROM python:3.12.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin shop
COPY --from=packages /venv /venv
COPY shop /app/shop
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER 10001
EXPOSE 8000
CMD ["opentelemetry-instrument", "uvicorn", "shop.gateway:app", "--host", "0.0.0.0", "--port", "8000", "--no-access-log"]
