"""Planning a session for a Slurm site: whatever people may name is found, what can't work is refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from curc_llm.catalogue.folder import read_folder
from curc_llm.catalogue.hub import read_hub_model
from curc_llm.catalogue.lookup import Found
from curc_llm.catalogue.model import Model
from curc_llm.errors import DownloadError, LaunchError, ModelDoesNotFitError, ModelNotFoundError
from curc_llm.launch.hub_cache import find_downloaded, keep_downloaded
from curc_llm.launch.planning import check_code
from curc_llm.plan.facts import Facts, load_facts
from curc_llm.plan.plan import Alternative, Plan
from curc_llm.plan.planner import make_plan
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings
from curc_llm.sites.load import LOCAL
from curc_llm.spec import DEMO_EMBED_NAME, DEMO_MODEL_DIR, DEMO_MODEL_NAME, is_demo, is_hub_id

NUM_ALTERNATIVES = 3


class RefusedError(ModelDoesNotFitError):
    """A launch that can't work at the site.

    Args:
        plan: the planner's refusal, with the nearest launches that can.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.reason, render_site_remedy(plan.alternatives))
        self.plan = plan


def load_site_facts(settings: Settings) -> Facts:
    """The facts of the settings' site, with every model that a person may name there.

    Raises:
        LaunchError: the site is this machine, which has no queue.
        SiteError, FactFileError: there is no such site, or its file is broken.
    """
    if settings.site == LOCAL:
        raise LaunchError(
            "The site `local` is this machine: it has no Slurm to launch on.",
            "Use curc-llm serve here, or name a centre in your settings (site).",
        )
    return find_more_models(load_facts(settings), settings)


def find_more_models(facts: Facts, settings: Settings) -> Facts:
    """The facts with the bundled model, with what was downloaded, and with what the hub can tell of.

    Args:
        facts: of a site.
        settings: say where downloads are kept, and whether the hub may be asked.
    """

    def find(wanted: str) -> Found:
        if is_demo(wanted):
            return Found(wanted, _make_demo(wanted, facts))
        try:
            return facts.find_model(wanted)
        except ModelNotFoundError as error:
            return _find_elsewhere(wanted, settings, error)

    return replace(facts, find_model=find)


def _make_demo(wanted: str, facts: Facts) -> Model:
    """The bundled model, for chats or as one that makes embeddings."""
    model = facts.find_model(str(DEMO_MODEL_DIR)).model
    if wanted == DEMO_EMBED_NAME:
        title = f"{DEMO_EMBED_NAME} (the bundled model, for embeddings)"
        return model.model_copy(update={"title": title, "uses": ("embeddings",)})
    return model.model_copy(update={"title": f"{DEMO_MODEL_NAME} (the bundled model)"})


def _find_elsewhere(wanted: str, settings: Settings, error: ModelNotFoundError) -> Found:
    """A model that only its Hugging Face id is known of."""
    if not is_hub_id(wanted):
        raise error
    folder = find_downloaded(settings.hf_home, wanted)
    if folder is not None:
        model = read_folder(folder)
        weights = tuple(w.model_copy(update={"hub_id": wanted}) for w in model.weights)
        return Found(wanted, model.model_copy(update={"folder": "", "weights": weights}))
    if settings.offline:
        raise error
    try:
        return Found(wanted, read_hub_model(wanted))
    except DownloadError:  # out of reach: what the catalogue said of it is the better answer
        raise error from None


def plan_on_site(
    request: PlanRequest, facts: Facts, settings: Settings, wanted: str = "", embed: str = ""
) -> Plan:
    """A plan that fits, as it is kept in a spec.

    Args:
        request: what was asked.
        facts: of the site; see `load_site_facts`.
        settings: say what was downloaded and whose code may run.
        wanted: what the person called the model; the request's own name when not given.
        embed: likewise the embedding model.

    Raises:
        RefusedError: it can't work; the remedy names the nearest launches that can.
        ModelNotFoundError, PlanError, SiteError: a value can't be meant.
        LaunchError: the model brings code that nobody allowed to run.
    """
    plan = make_plan(request, facts)
    if not plan.fits:
        raise RefusedError(plan)
    check_code(settings, wanted or request.model, plan)
    for other in plan.beside:
        check_code(settings, embed or other.request.model, other)
    beside = tuple(keep_downloaded(other, settings.hf_home) for other in plan.beside)
    kept = plan.model_copy(update={"why": (), "alternatives": (), "beside": beside})
    return keep_downloaded(kept, settings.hf_home)


def render_site_remedy(alternatives: Iterable[Alternative]) -> str:
    """The nearest launches that work, in a sentence.

    Example:
        >>> render_site_remedy(())
        'See what fits where with: curc-llm plan'
    """
    told = [a.change for a in alternatives][:NUM_ALTERNATIVES]
    return f"What fits: {'; or '.join(told)}." if told else "See what fits where with: curc-llm plan"
