"""Rows of dedicated deployments: each is kept by one host, by a lease."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, and_, delete, insert, not_, or_, select, update

from atrous.adapters.sql_store.database import SqlTable, utc, utc_or_none
from atrous.adapters.sql_store.tables import deployments
from atrous.core.errors import ConflictError
from atrous.workspace.deployment import Deployment, DeploymentReport, DeploymentState, DeploymentWish

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

STOPPED = (DeploymentState.PAUSED, DeploymentState.EXPIRED, DeploymentState.FAILED)


class SqlDeployments(SqlTable):
    """Deployments: what they are to be, and what they are."""

    def add_deployment(self, deployment: Deployment) -> None:
        """Keep a new deployment.

        Raises:
            ConflictError: if any workspace has one of this name.
        """
        try:
            with self._write() as connection:
                connection.execute(insert(deployments).values(_write_deployment(deployment)))
        except ConflictError as error:
            raise ConflictError(f"deployment {deployment.name!r}: this name is taken; choose another one") from error

    def find_deployment(self, name: str) -> Deployment | None:
        """The deployment, whosever it is, or None."""
        with self._read() as connection:
            row = connection.execute(select(deployments).where(deployments.c.name == name)).one_or_none()
        return _read_deployment(row) if row else None

    def list_deployments(self, workspace: str | None = None) -> list[Deployment]:
        """Oldest first."""
        of_workspace = [deployments.c.workspace == workspace] if workspace is not None else []
        statement = select(deployments).where(*of_workspace).order_by(deployments.c.seq)
        with self._read() as connection:
            return [_read_deployment(row) for row in connection.execute(statement)]

    def order_deployment(
        self,
        name: str,
        *,
        wish: DeploymentWish | None = None,
        models: Sequence[str] | None = None,
        expires: datetime | None = None,
    ) -> Deployment | None:
        """Say what a deployment is to be, what it is to serve, how long it is to live; what is None stays.

        A change of models makes its revision one greater; so does an order to run what is paused, expired or failed,
        which is pending from then on. Who wanted it deleted is not overruled. None if there is none.
        """
        place = deployments.c.name == name
        with self._write() as connection:
            row = connection.execute(select(deployments).where(place).with_for_update()).one_or_none()
            if row is None:
                return None
            values = _find_changes(row, wish, models, expires)
            if values:
                connection.execute(update(deployments).where(place).values(values))
            return _read_deployment(connection.execute(select(deployments).where(place)).one())

    def claim_deployments(
        self, owner: str, machine_types: Sequence[str], now: datetime, until: datetime, *, limit: int | None = None
    ) -> list[Deployment]:
        """Take every deployment of these types that is to run, or to be stopped or deleted, and that no host holds.

        Only the `limit` oldest of them if it is given. Gives all that this host holds then, oldest first, their leases
        renewed.
        """
        of_owner = deployments.c.owner == owner
        free = (
            select(deployments.c.seq)
            .where(deployments.c.machine_type.in_(machine_types), _is_free(now), not_(_is_at_rest(now)))
            .order_by(deployments.c.seq)
            .limit(limit)
        )
        to_keep = select(deployments.c.seq).where(or_(deployments.c.seq.in_(free), of_owner)).limit(1)
        # Hosts ask all the time, mostly with nothing to keep, which is not to hold up those who write.
        with self._read() as connection:
            if connection.scalar(to_keep) is None:
                return []
        with self._write() as connection:
            taken = connection.scalars(free.with_for_update(skip_locked=True)).all()
            held = or_(deployments.c.seq.in_(taken), of_owner)
            connection.execute(update(deployments).where(held).values(owner=owner, leased_until=until))
            rows = connection.execute(select(deployments).where(of_owner).order_by(deployments.c.seq))
            return [_read_deployment(row) for row in rows]

    def report_deployment(
        self, name: str, owner: str, report: DeploymentReport, now: datetime, until: datetime | None
    ) -> None:
        """Tell what a deployment is, and hold it until then, or give it up if None.

        Raises:
            ConflictError: if somebody else holds it now.
        """
        values: dict[str, Any] = {
            "state": report.state.value,
            "message": report.message,
            "address": report.address,
            "served_revision": report.served_revision,
            "restarts": report.restarts,
            "leased_until": until,
        }
        with self._write() as connection:
            row = _find_held(connection, name, owner)
            if until is None:
                values["owner"] = ""
            if row.state != report.state.value:
                values["changed"] = now
            connection.execute(update(deployments).where(deployments.c.name == name).values(values))

    def remove_deployment(self, name: str, owner: str) -> None:
        """Forget a deployment and its log; its use is kept.

        Raises:
            ConflictError: if somebody else holds it now.
        """
        with self._write() as connection:
            _find_held(connection, name, owner)
            connection.execute(delete(deployments).where(deployments.c.name == name))


def forget_hosts(connection: Connection) -> None:
    """Hold no deployment and know no address: for rows that come from another place."""
    nowhere = {"address": "", "owner": "", "leased_until": None, "served_revision": 0}
    connection.execute(update(deployments).values(nowhere))
    answering = deployments.c.state == DeploymentState.READY.value
    connection.execute(update(deployments).where(answering).values(state=DeploymentState.PENDING.value))


def _is_free(now: datetime) -> Any:
    return or_(deployments.c.owner == "", deployments.c.leased_until.is_(None), deployments.c.leased_until < now)


def _is_at_rest(now: datetime) -> Any:
    """Whether no host has anything to do for it."""
    is_over = and_(deployments.c.expires.is_not(None), deployments.c.expires <= now)
    is_paused = and_(
        deployments.c.wish == DeploymentWish.PAUSE.value,
        deployments.c.state == DeploymentState.PAUSED.value,
        not_(is_over),
    )
    is_expired = and_(
        deployments.c.wish != DeploymentWish.DELETE.value,
        deployments.c.state == DeploymentState.EXPIRED.value,
        or_(deployments.c.wish == DeploymentWish.EXPIRE.value, is_over),
    )
    return or_(is_paused, is_expired)


def _find_changes(
    row: Row[Any], wish: DeploymentWish | None, models: Sequence[str] | None, expires: datetime | None
) -> dict[str, Any]:
    """Columns that an order changes."""
    if row.wish == DeploymentWish.DELETE.value:
        return {}
    values: dict[str, Any] = {}
    if wish is not None:
        values["wish"] = wish.value
    if expires is not None:
        values["expires"] = expires
    has_new_models = models is not None and list(models) != row.models
    if has_new_models:
        values["models"] = list(models or ())
    is_to_start = wish is DeploymentWish.RUN and row.state in STOPPED
    if is_to_start or (has_new_models and row.state == DeploymentState.FAILED.value):
        values |= {"state": DeploymentState.PENDING.value, "restarts": 0}
    if is_to_start or has_new_models:
        values |= {"revision": row.revision + 1, "message": ""}
    return values


def _find_held(connection: Connection, name: str, owner: str) -> Row[Any]:
    held = deployments.c.name == name, deployments.c.owner == owner
    row = connection.execute(select(deployments).where(*held).with_for_update()).one_or_none()
    if row is None:
        raise ConflictError(f"deployment {name}: is held by another host or deleted; let go of it")
    return row


def _write_deployment(deployment: Deployment) -> dict[str, Any]:
    return {
        "name": deployment.name,
        "workspace": deployment.workspace,
        "machine_type": deployment.machine_type,
        "creator_email": deployment.creator_email,
        "created": deployment.created,
        "models": list(deployment.models),
        "expires": deployment.expires,
        "delete_on_expiration": deployment.delete_on_expiration,
        "inference_version": deployment.inference_version,
        "wish": deployment.wish.value,
        "revision": deployment.revision,
        "state": deployment.state.value,
        "message": deployment.message,
        "address": deployment.address,
        "served_revision": deployment.served_revision,
        "owner": deployment.owner,
        "leased_until": deployment.leased_until,
        "restarts": deployment.restarts,
        "changed": deployment.changed,
    }


def _read_deployment(row: Row[Any]) -> Deployment:
    return Deployment(
        name=row.name,
        workspace=row.workspace,
        machine_type=row.machine_type,
        creator_email=row.creator_email,
        created=utc(row.created),
        models=tuple(row.models),
        expires=utc_or_none(row.expires),
        delete_on_expiration=row.delete_on_expiration,
        inference_version=row.inference_version,
        wish=DeploymentWish(row.wish),
        revision=row.revision,
        state=DeploymentState(row.state),
        message=row.message,
        address=row.address,
        served_revision=row.served_revision,
        owner=row.owner,
        leased_until=utc_or_none(row.leased_until),
        restarts=row.restarts,
        changed=utc_or_none(row.changed),
    )
