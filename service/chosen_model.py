"""The language model that the settings choose: in this process, behind a vLLM server, or none."""

from collections.abc import Callable

from model_store.artifact import Artifact
from service.adapters.vllm_model import VllmModel
from service.interfaces import LanguageModel
from service.prompt_maker import PromptMaker
from service.settings import Settings
from service.telemetry import Telemetry


def chosen_model(settings: Settings, artifact: Artifact, telemetry: Telemetry) -> Callable[[], LanguageModel] | None:
    """What makes the language model, to be called in a thread: loading one takes seconds; None for templates only."""
    if settings.llm == "none":
        return None
    url = settings.llm_url
    if url is None:
        return lambda: _transformers(settings, artifact, telemetry)
    return lambda: _vllm(url, settings, artifact)


def _transformers(settings: Settings, artifact: Artifact, telemetry: Telemetry) -> LanguageModel:
    from service.adapters.transformers_model import TransformersModel  # imports torch: only where it is chosen

    return TransformersModel(
        artifact.language_model_path,
        artifact.manifest.language_model,
        dtype=settings.llm_dtype,
        timeout_s=settings.llm_timeout_s,
        telemetry=telemetry,
        # A version that is swapped in later has another style: its prompts are read whole
        beginning=PromptMaker.of(artifact).beginning,
    )


def _vllm(url: str, settings: Settings, artifact: Artifact) -> LanguageModel:
    return VllmModel(
        url,
        artifact.language_model_path,
        artifact.manifest.language_model,
        wire_dtype=settings.llm_dtype,
        timeout_s=settings.llm_timeout_s,
    )
