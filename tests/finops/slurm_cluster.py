"""A Slurm of one machine on loopback: munged, MariaDB, slurmdbd, slurmctld, slurmd, in one folder, by process id."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sacct", "runuser")
SLURM = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
MinJobAge=600
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={accounting}
AccountingStoragePass={folder}/munge/socket
AccountingStorageTRES=gres/gpu,gres/gpu:a100
AccountingStoreFlags=job_comment
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=500 Gres=gpu:a100:2 State=UNKNOWN
PartitionName=gpu Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""
ACCOUNTING = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={accounting}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""
GRANT = """\
CREATE DATABASE slurm_acct_db;
CREATE USER 'slurm'@'localhost' IDENTIFIED BY 'slurm';
CREATE USER 'slurm'@'127.0.0.1' IDENTIFIED BY 'slurm';
GRANT ALL ON slurm_acct_db.* TO 'slurm'@'localhost';
GRANT ALL ON slurm_acct_db.* TO 'slurm'@'127.0.0.1';
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running Slurm."""

    folder: Path

    def run(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment in which its commands find it."""
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "TZ": "UTC"}

    def wait(self, *command: str, until: str = "", seconds: int = 60) -> str:
        """Run a command again until it prints what it should."""
        for _ in range(seconds * 2):
            with contextlib.suppress(subprocess.CalledProcessError):
                printed = self.run(*command)
                if until in printed:
                    return printed
            time.sleep(0.5)
        raise AssertionError(f"{' '.join(command)} never printed {until}")


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[Cluster]:
    """Run a Slurm in a new folder that other users can enter."""
    host = socket.gethostname().partition(".")[0]
    ports = dict(zip(("controller", "daemon", "accounting", "database"), _free(4), strict=True))
    names = {"folder": folder, "host": host, **ports}
    for name in ("munge", "state", "spool", "database"):
        (folder / name).mkdir()
    (folder / "munge/key").write_bytes(os.urandom(1024))
    (folder / "munge/key").chmod(0o400)
    for path in (folder / "munge", folder / "munge/key"):
        shutil.chown(path, "munge", "munge")
    (folder / "slurm.conf").write_text(SLURM.format(**names))
    (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu Type=a100 File=/dev/tty[0-1]\n")
    (folder / "slurmdbd.conf").write_text(ACCOUNTING.format(**names))
    (folder / "slurmdbd.conf").chmod(0o600)
    cluster = Cluster(folder)
    with contextlib.ExitStack() as running:

        def start(*command: str) -> None:
            log = running.enter_context((folder / f"{Path(command[0]).name}.out").open("wb"))
            process = subprocess.Popen(command, env=cluster.environment, stdout=log, stderr=log)
            running.callback(_stop, process)

        munge = folder / "munge"
        start("runuser", "-u", "munge", "--", "munged", "--foreground", f"--socket={munge}/socket",
              f"--key-file={munge}/key", f"--log-file={munge}/log", f"--pid-file={munge}/pid",
              f"--seed-file={munge}/seed")  # fmt: skip
        _database(cluster, start, ports["database"])
        start("slurmdbd", "-D")
        cluster.wait("sacctmgr", "-i", "show", "cluster")
        cluster.run("sacctmgr", "-i", "add", "cluster", "test")
        start("slurmctld", "-D", "-c")
        start("slurmd", "-D", "-N", host)
        cluster.wait("sinfo", "-h", "-o", "%T", until="idle")
        yield cluster


def _database(cluster: Cluster, start: Any, port: int) -> None:
    data, log = cluster.folder / "database", cluster.folder / "database.sock"
    cluster.run("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root",
                "--auth-root-authentication-method=normal", "--skip-test-db")  # fmt: skip
    start("mariadbd", "--no-defaults", f"--datadir={data}", "--user=root", "--bind-address=127.0.0.1",
          f"--port={port}", f"--socket={log}")  # fmt: skip
    client = ("mariadb", "--no-defaults", f"--socket={log}", "-u", "root", "-e")
    cluster.wait(*client, "SELECT 'ready'", until="ready")
    cluster.run(*client, GRANT)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free(count: int) -> list[int]:
    """Return ports that nothing listens on."""
    with contextlib.ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]
