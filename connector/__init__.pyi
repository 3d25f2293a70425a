from .commands.acts import RecordedAct as RecordedAct
from .commands.acts import acts as acts
from .commands.alert import ToldAlert as ToldAlert
from .commands.alert import alert as alert
from .commands.check import check as check
from .commands.data_map import DataMapEntry as DataMapEntry
from .commands.data_map import data_map as data_map
from .commands.destinations import ListedDestination as ListedDestination
from .commands.destinations import list_destinations as list_destinations
from .commands.encode import EncodedFrame as EncodedFrame
from .commands.encode import EncodedRow as EncodedRow
from .commands.encode import RefusedRow as RefusedRow
from .commands.encode import encode as encode
from .commands.erase import Erasure as Erasure
from .commands.erase import erase as erase
from .commands.erase import recorded as recorded
from .commands.findings import Findings as Findings
from .commands.follow import follow as follow
from .commands.init import Beginning as Beginning
from .commands.init import init as init
from .commands.lint import IdentifierQuality as IdentifierQuality
from .commands.lint import lint_identifiers as lint_identifiers
from .commands.overview import OverviewEntry as OverviewEntry
from .commands.overview import overview as overview
from .commands.page import dashboard as dashboard
from .commands.platforms import PlatformFacts as PlatformFacts
from .commands.platforms import platform_facts as platform_facts
from .commands.preview import PreviewedRejection as PreviewedRejection
from .commands.preview import PreviewedRequest as PreviewedRequest
from .commands.preview import preview as preview
from .commands.reconcile import Reconciliation as Reconciliation
from .commands.reconcile import reconcile as reconcile
from .commands.rejected import RejectedRow as RejectedRow
from .commands.rejected import rejected as rejected
from .commands.rekey import RekeyedDestination as RekeyedDestination
from .commands.rekey import Rekeying as Rekeying
from .commands.rekey import rekey as rekey
from .commands.rename import Renaming as Renaming
from .commands.rename import rename as rename
from .commands.replay import replay as replay
from .commands.report import ReportLine as ReportLine
from .commands.report import report as report
from .commands.resolve import Resolution as Resolution
from .commands.resolve import resolve as resolve
from .commands.send import send as send
from .commands.show import ConversionHistory as ConversionHistory
from .commands.show import HistoryEvent as HistoryEvent
from .commands.show import show as show
from .commands.status import Status as Status
from .commands.status import status as status
from .commands.steps import deliver as deliver
from .commands.steps import plan as plan
from .commands.steps import settle as settle
from .commands.sync import sync as sync
from .commands.unsent import UnsentRow as UnsentRow
from .commands.unsent import expired as expired
from .commands.unsent import suppressed as suppressed
from .config.destination import Destination as Destination
from .config.loader import load as load
from .engine.hooks import ResultDetails as ResultDetails
from .engine.hooks import RetryDetails as RetryDetails
from .engine.instrumentation import set_hooks as set_hooks
from .engine.pipeline import Progress as Progress
from .engine.plan import Options as Options
from .engine.plan import Plan as Plan
from .engine.plan import Slice as Slice
from .engine.report import Report as Report
from .engine.report import RunFailure as RunFailure
from .engine.run import Planned as Planned
from .errors import ConfigError as ConfigError
from .errors import ConnectorError as ConnectorError
from .errors import DestinationError as DestinationError
from .errors import EndpointError as EndpointError
from .errors import Fenced as Fenced
from .errors import GuardRail as GuardRail
from .errors import InternalError as InternalError
from .errors import LeaseHeld as LeaseHeld
from .errors import Postponed as Postponed
from .errors import Problem as Problem
from .errors import RunStopped as RunStopped
from .errors import StateError as StateError
from .errors import StateMismatch as StateMismatch
from .errors import SystemicError as SystemicError
from .errors import WarehouseError as WarehouseError
from .sandbox.preflight import PreflightStep as PreflightStep
from .sandbox.preflight import preflight as preflight

__version__: str

__all__ = [
    "Beginning",
    "ConfigError",
    "ConnectorError",
    "ConversionHistory",
    "DataMapEntry",
    "Destination",
    "DestinationError",
    "EncodedFrame",
    "EncodedRow",
    "EndpointError",
    "Erasure",
    "Fenced",
    "Findings",
    "GuardRail",
    "HistoryEvent",
    "IdentifierQuality",
    "InternalError",
    "LeaseHeld",
    "ListedDestination",
    "Options",
    "OverviewEntry",
    "Plan",
    "Planned",
    "PlatformFacts",
    "Postponed",
    "PreflightStep",
    "PreviewedRejection",
    "PreviewedRequest",
    "Problem",
    "Progress",
    "Reconciliation",
    "RecordedAct",
    "RefusedRow",
    "RejectedRow",
    "RekeyedDestination",
    "Rekeying",
    "Renaming",
    "Report",
    "ReportLine",
    "Resolution",
    "ResultDetails",
    "RetryDetails",
    "RunFailure",
    "RunStopped",
    "Slice",
    "StateError",
    "StateMismatch",
    "Status",
    "SystemicError",
    "ToldAlert",
    "UnsentRow",
    "WarehouseError",
    "__version__",
    "acts",
    "alert",
    "check",
    "dashboard",
    "data_map",
    "deliver",
    "encode",
    "erase",
    "expired",
    "follow",
    "init",
    "lint_identifiers",
    "list_destinations",
    "load",
    "overview",
    "plan",
    "platform_facts",
    "preflight",
    "preview",
    "reconcile",
    "recorded",
    "rejected",
    "rekey",
    "rename",
    "replay",
    "report",
    "resolve",
    "send",
    "set_hooks",
    "settle",
    "show",
    "status",
    "suppressed",
    "sync",
]
