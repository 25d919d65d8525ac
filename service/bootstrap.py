"""Where everything is put together: constructors and nothing else."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from model_store.artifact import Artifact
from model_store.recency import Recency
from model_store.rerank_prompt import rerank_template
from model_store.store import ModelStore
from service.adapters.explanation_cache import MemoryExplanationCache, RedisExplanationCache
from service.adapters.feedback_log import open_log
from service.adapters.retriever import ExactRetriever, FaissRetriever
from service.adapters.token_cache import MemoryTokenCache, RedisTokenCache
from service.chosen_model import chosen_model
from service.directory import Directory
from service.engine import Engine
from service.evidence import EvidenceSelector, Labels
from service.explainer import Explainer
from service.feedback import Feedback
from service.interfaces import ExplanationCache, LanguageModel, Retriever, TokenCache
from service.item_search import ItemSearch
from service.kept_answers import KeptAnswers
from service.prompt_maker import PromptMaker
from service.recent_events import RecentEvents
from service.recommender import Recommender
from service.reranker import Reranker
from service.settings import MEMORY_CACHE, Settings
from service.similar_items import SimilarItems
from service.telemetry import Telemetry
from service.title_matcher import TitleMatcher
from service.token_layout import TokenLayout
from service.types import Part
from service.users import Users
from service.writer import Writer


@dataclass(frozen=True)
class Components:
    """One model version, ready to answer. A new version is a new value of this."""

    artifact: Artifact
    recommender: Recommender
    explainer: Explainer
    kept_answers: KeptAnswers | None
    similar_items: SimilarItems
    directory: Directory
    feedback: Feedback
    token_cache: TokenCache
    explanation_cache: ExplanationCache
    engine: Engine | None
    telemetry: Telemetry

    def start(self) -> None:
        """Begin loading the language model and following feedback; returns at once. Within the event loop."""
        self.feedback.start()
        if self.engine is not None:
            self.engine.start()

    async def close(self, *, with_engine: bool = True) -> None:
        """Give back what the parts hold; not feedback, nor the engine where another version goes on with it."""
        if self.engine is not None and with_engine:
            await self.engine.close()
        await self.token_cache.close()
        await self.explanation_cache.close()

    async def parts(self) -> dict[str, Part]:
        """State of every part. Recommendations need none but the model; explanations need the language model too."""
        tokens, texts = await asyncio.gather(self.token_cache.check(), self.explanation_cache.check())
        engine = self.engine.part if self.engine is not None else Part("off", "explanations come from a template")
        return {
            "model": Part("ok", self.artifact.version),
            "token_cache": tokens,
            "explanation_cache": texts,
            "language_model": engine,
        }


def build_components(
    settings: Settings,
    make_language_model: Callable[[], LanguageModel] | None = None,
    *,
    served: Components | None = None,
) -> Components:
    """The parts for these settings; `make_language_model` takes the place of what `settings.llm` names.

    Beside an already `served` version they go on with its metrics and feedback, and with its engine where both have the
    same LLM. ModelStoreError where the version cannot be served. A new engine has loaded nothing yet: see `start`.
    """
    store = ModelStore(settings.store)
    llm = store.manifest(settings.version).language_model
    engine = served.engine if served is not None and served.artifact.manifest.language_model == llm else None
    artifact = store.load(settings.version, verify_language_model=engine is None)
    telemetry = Telemetry() if served is None else served.telemetry
    cache = _token_cache(settings, artifact, telemetry)
    recent = RecentEvents(max_users=settings.feedback_users)
    feedback = Feedback(open_log(settings, telemetry), recent, telemetry) if served is None else served.feedback
    users = _users(artifact, cache, feedback.recent)
    labels = Labels(artifact.vocabulary)
    texts = _explanation_cache(settings, artifact, telemetry)
    if engine is None and (make := make_language_model or chosen_model(settings, artifact, telemetry)) is not None:
        engine = _engine(settings, make, telemetry)
    evidence = _evidence(artifact, labels)
    prompts = PromptMaker.of(artifact) if engine else None
    reranker = _reranker(settings, artifact, evidence, prompts, engine) if engine and prompts else None
    explainer = Explainer(
        version=artifact.version,
        users=users,
        catalog=artifact.catalog,
        evidence=evidence,
        writer=_writer(artifact, prompts, engine, texts, telemetry) if engine and prompts else None,
        max_tokens=settings.max_tokens,
        telemetry=telemetry,
    )
    recommender = _recommender(settings, artifact, users, labels, reranker, explainer, feedback, telemetry)
    directory = _directory(artifact, users, labels)
    similar_items = SimilarItems(artifact.version, artifact.catalog, artifact.embeddings)
    kept = KeptAnswers(users=users, item_ids=artifact.catalog.ids, cache=texts, telemetry=telemetry) if engine else None
    return Components(
        artifact, recommender, explainer, kept, similar_items, directory, feedback, cache, texts, engine, telemetry
    )


def _token_cache(settings: Settings, artifact: Artifact, telemetry: Telemetry) -> TokenCache:
    if settings.redis == MEMORY_CACHE:
        return MemoryTokenCache(max_users=settings.memory_cache_users, telemetry=telemetry)
    return RedisTokenCache(
        settings.redis,
        layout=TokenLayout(artifact.version, len(artifact.user_ids)),
        ttl_s=settings.token_ttl_s,
        pool_size=settings.redis_pool_size,
        timeout_s=settings.redis_timeout_ms / 1e3,
        telemetry=telemetry,
    )


def _explanation_cache(settings: Settings, artifact: Artifact, telemetry: Telemetry) -> ExplanationCache:
    if settings.redis == MEMORY_CACHE:
        return MemoryExplanationCache(
            max_texts=settings.memory_cache_explanations, ttl_s=settings.explanation_ttl_s, telemetry=telemetry
        )
    return RedisExplanationCache(
        settings.redis,
        version=artifact.version,
        ttl_s=settings.explanation_ttl_s,
        pool_size=settings.redis_pool_size,
        timeout_s=settings.redis_timeout_ms / 1e3,
        telemetry=telemetry,
    )


def _users(artifact: Artifact, cache: TokenCache, recent: RecentEvents) -> Users:
    return Users(
        ids=artifact.user_ids,
        item_ids=artifact.catalog.ids,
        codes=artifact.user_codes,
        histories=artifact.histories,
        tokenizer=artifact.tokenizer,
        cache=cache,
        recent=recent,
        recency=Recency.of_config(artifact.manifest.config),
    )


def _directory(artifact: Artifact, users: Users, labels: Labels) -> Directory:
    return Directory(
        version=artifact.version,
        users=users,
        user_ids=artifact.user_ids,
        user_codes=artifact.user_codes,
        histories=artifact.histories,
        catalog=artifact.catalog,
        labels=labels,
    )


def _evidence(artifact: Artifact, labels: Labels) -> EvidenceSelector:
    return EvidenceSelector(artifact.catalog, artifact.tokenizer, artifact.vocabulary, labels, artifact.item_codes)


def _engine(settings: Settings, make: Callable[[], LanguageModel], telemetry: Telemetry) -> Engine:
    return Engine(
        make,
        check_interval_s=settings.llm_check_interval_s,
        check_timeout_s=settings.llm_check_timeout_s,
        max_prompts=settings.llm_max_prompts,
        telemetry=telemetry,
    )


def _writer(
    artifact: Artifact, prompts: PromptMaker, engine: Engine, cache: ExplanationCache, telemetry: Telemetry
) -> Writer:
    titles = TitleMatcher(artifact.catalog.titles, ordinary=artifact.catalog.categories.names)
    return Writer(engine=engine, prompts=prompts, cache=cache, titles=titles, telemetry=telemetry)


def _recommender(
    settings: Settings,
    artifact: Artifact,
    users: Users,
    labels: Labels,
    reranker: Reranker | None,
    explainer: Explainer,
    feedback: Feedback,
    telemetry: Telemetry,
) -> Recommender:
    return Recommender(
        version=artifact.version,
        users=users,
        catalog=artifact.catalog,
        item_vectors=artifact.embeddings.items,
        labels=labels,
        item_search=ItemSearch(_retriever(settings, artifact), artifact.embeddings.dim_graph),
        reranker=reranker,
        explainer=explainer,
        feedback_log=feedback.log,
        telemetry=telemetry,
    )


def _retriever(settings: Settings, artifact: Artifact) -> Retriever:
    if settings.retriever == "exact":
        return ExactRetriever(artifact.embeddings.items)
    return FaissRetriever(artifact.embeddings.items, artifact.index_bytes)


def _reranker(
    settings: Settings, artifact: Artifact, evidence: EvidenceSelector, prompts: PromptMaker, engine: Engine
) -> Reranker:
    question = rerank_template(artifact.manifest.language_model.chat, num_soft=artifact.soft_tokens.num_soft)
    return Reranker(
        catalog=artifact.catalog,
        evidence=evidence,
        prompts=prompts.asking(question),
        engine=engine,
        max_items=settings.rerank_items,
    )
