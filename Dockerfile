# Haggle's two images: `engine` (HTTP engine and relay) and `jobs` (streams, simulation, report, audit; with Java).
#
#   docker build --target engine -t haggle-engine:dev .
#   docker build --target jobs -t haggle-jobs:dev .
#
# What changes seldom comes first: after a change of code only the last, small layers are built again.
ARG BASE=python:3.13-slim-trixie

# ---------------------------------------------------------------- dependencies, locked with hashes

FROM ${BASE} AS engine-dependencies
COPY requirements/engine.lock /requirements/
RUN python -m venv /opt/haggle \
 && /opt/haggle/bin/pip install --no-cache-dir --no-compile --require-hashes -r /requirements/engine.lock

FROM ${BASE} AS jobs-dependencies
COPY requirements/tools.in requirements/tools.lock requirements/jobs.lock /requirements/
# PySpark comes as source: the locked build tools build it, and do not stay
RUN python -m venv /opt/haggle \
 && /opt/haggle/bin/pip install --no-cache-dir --no-compile --require-hashes -r /requirements/tools.lock \
 && /opt/haggle/bin/pip install --no-cache-dir --no-compile --require-hashes --no-build-isolation -r /requirements/jobs.lock \
 && /opt/haggle/bin/pip uninstall --quiet --yes -r /requirements/tools.in

FROM ${BASE} AS jars
RUN apt-get update && apt-get install --yes --no-install-recommends maven && rm -rf /var/lib/apt/lists/*
COPY jobs/local/java /java
RUN mvn -B -ntp -q --strict-checksums -f /java/pom.xml -pl spark,metrics dependency:copy-dependencies \
      -DoutputDirectory='/jars/${project.artifactId}'
# every file is as in java.lock, which one machine takes too, and none is missing
RUN awk '/^(spark|metrics) / { count = split($4, path, "/"); print $2 "  /jars/" $1 "/" path[count] }' /java/java.lock > /java/sums \
 && sha256sum --check --strict --quiet /java/sums \
 && test "$(ls /jars/* | grep -c jar$)" = "$(wc -l < /java/sums)"

# ---------------------------------------------------------------- engine

FROM ${BASE} AS engine
ENV PATH=/opt/haggle/bin:$PATH PYTHONPATH=/haggle PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /haggle
COPY --from=engine-dependencies /opt/haggle /opt/haggle
RUN python -m compileall -q /opt/haggle/lib
COPY app app
# a missing dependency is seen here, not in the cluster
RUN python -m compileall -q app && python -c 'import app.http.app, app.relay.__main__, gunicorn.workers.ggevent'
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "--config", "python:app.http.gunicorn"]

# ---------------------------------------------------------------- jobs

FROM ${BASE} AS jobs
RUN apt-get update && apt-get install --yes --no-install-recommends openjdk-21-jre-headless && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/haggle/bin:$PATH PYTHONPATH=/haggle PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Hadoop's client asks the system for the user's name
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp haggle
WORKDIR /haggle
COPY --from=jobs-dependencies /opt/haggle /opt/haggle
RUN python -m compileall -q /opt/haggle/lib && ln -s /opt/haggle/lib/python3.13/site-packages/pyspark /opt/spark
COPY --from=jars /jars/spark /opt/spark/jars
# the agent that tells Prometheus of a JVM; servers of other images get it from here
COPY --from=jars /jars/metrics /opt/metrics
COPY app app
COPY sql sql
COPY jobs jobs
RUN python -m compileall -q app jobs && python -c 'import jobs.cli.__main__, jobs.report.serve, jobs.smoke, jobs.streams.__main__'
ENV SPARK_HOME=/opt/spark
USER 10001:10001
CMD ["python", "-m", "jobs.cli", "--help"]
