"""Count and number the tokens of a text as the model does, without loading the model."""

from pathlib import Path
from typing import Final

from stage.errors import CorruptFile, SourceRefused, UsageError

from chunk_embed.model import Model
from chunk_embed.settings import EmbedSettings

KEPT: Final = 10_000  # texts in memory
DOCUMENT: Final = ("document", "passage", "corpus")  # what models call the prompt of what is searched


class Tokens:
    """A model's tokenizer, for documents or for queries, which some models want to begin with words of their own."""

    def __init__(self, model: Model, max_tokens: int, prompts: tuple[str, ...]) -> None:
        from tokenizers import Tokenizer

        path = model.folder / "tokenizer.json"
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # it raises nothing more precise
            raise CorruptFile(path, f"no tokenizer: {error!s:.100}", "get the model again") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._lower = bool(model.config("sentence_bert_config.json").get("do_lower_case"))
        self.prompt = _prompt(model, prompts)
        self.most = max_tokens
        self.made_by = {"files": model.files_sha256, "prompt": self.prompt, "most": max_tokens}
        self._known: dict[str, list[int]] = {}  # of texts that fit: the last of a search is the chunk itself

    def ids(self, text: str) -> list[int]:
        """Return the numbers of a text's tokens, special ones included."""
        return self._known.get(text) or self._ids(text)

    def count(self, text: str) -> int:
        """Return how many tokens a text has, special ones included."""
        return len(self._ids(text))

    def _ids(self, text: str) -> list[int]:
        given = self.prompt + (text.lower() if self._lower else text)
        return list(self._tokenizer.encode(given).ids)

    def fits(self, text: str) -> bool:
        """Say whether the model takes the whole text."""
        ids = self._ids(text)
        if fit := len(ids) <= self.most:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[text] = ids
        return fit


def document_tokens(model: Model, settings: EmbedSettings) -> Tokens:
    """Return the tokenizer for documents. Raises UsageError for more max-tokens than the model takes."""
    return Tokens(model, _most(model, settings), DOCUMENT)


def query_tokens(model: Model, settings: EmbedSettings) -> Tokens:
    """Return the tokenizer for queries."""
    return Tokens(model, _most(model, settings), ("query",))


def _most(model: Model, settings: EmbedSettings) -> int:
    if settings.max_tokens > model.max_tokens:
        what = f"max-tokens {settings.max_tokens} is more than the {model.max_tokens} that {model.name} takes"
        raise UsageError("chunk-embed", what, "lower it, or leave it out")
    return settings.max_tokens or model.max_tokens


def _prompt(model: Model, names: tuple[str, ...]) -> str:
    settings = model.config("config_sentence_transformers.json")
    prompts = settings.get("prompts") or {}
    name = next((name for name in names if prompts.get(name)), settings.get("default_prompt_name"))
    prompt = str(prompts.get(name) or "") if name else ""
    if prompt and not _pooled_with_prompt(model):
        raise SourceRefused(model.folder, "leaves its prompt out of the mean, which is not supported", "use another")
    return prompt


def _pooled_with_prompt(model: Model) -> bool:
    pooling = [path for path in sorted(model.folder.glob("*_Pooling")) if Path(path).is_dir()]
    return all(model.config(f"{path.name}/config.json").get("include_prompt", True) for path in pooling)
