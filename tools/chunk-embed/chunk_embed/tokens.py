"""Tokenize texts as the model does, without loading the model."""

from pathlib import Path
from typing import Final

from stage.errors import CorruptFile, SourceRefused, UsageError

from chunk_embed.model import Model
from chunk_embed.settings import EmbedSettings

CACHED_TEXTS: Final = 10_000
DOCUMENT_PROMPTS: Final = ("document", "passage", "corpus")  # names that models use for it


class Tokens:
    """A model's tokenizer with its prompt for documents or queries, a text that some models need before each input."""

    def __init__(self, model: Model, max_tokens: int, prompts: tuple[str, ...]) -> None:
        from tokenizers import Tokenizer  # slow

        path = model.folder / "tokenizer.json"
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises no subclass
            raise CorruptFile(path, f"invalid tokenizer: {error!s:.100}", "download the model again") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._lower = bool(model.config("sentence_bert_config.json").get("do_lower_case"))
        self.prompt = _prompt(model, prompts)
        self.maximum = max_tokens
        self.made_by = {"files": model.files_sha256, "prompt": self.prompt, "max_tokens": max_tokens}
        self._cache: dict[str, list[int]] = {}  # of texts that fit: the last one tried is the chunk itself

    def ids(self, text: str) -> list[int]:
        """Return the token ids of a text, special tokens included."""
        return self._cache.get(text) or self._ids(text)

    def count(self, text: str) -> int:
        """Return the number of tokens of a text, special tokens included."""
        return len(self._ids(text))

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(self.prompt + (text.lower() if self._lower else text)).ids)

    def fits(self, text: str) -> bool:
        """Return whether the model takes the text without truncating it."""
        ids = self._ids(text)
        if fit := len(ids) <= self.maximum:
            if len(self._cache) >= CACHED_TEXTS:
                self._cache.clear()
            self._cache[text] = ids
        return fit


def document_tokens(model: Model, settings: EmbedSettings) -> Tokens:
    """Return the tokenizer for documents. Raises UsageError if max-tokens is more than the model takes."""
    return Tokens(model, _max_tokens(model, settings), DOCUMENT_PROMPTS)


def query_tokens(model: Model, settings: EmbedSettings) -> Tokens:
    """Return the tokenizer for queries."""
    return Tokens(model, _max_tokens(model, settings), ("query",))


def _max_tokens(model: Model, settings: EmbedSettings) -> int:
    if settings.max_tokens > model.max_tokens:
        what = f"invalid max-tokens {settings.max_tokens}: {model.name} takes {model.max_tokens}"
        raise UsageError("chunk-embed", what, "lower it, or remove it")
    return settings.max_tokens or model.max_tokens


def _prompt(model: Model, names: tuple[str, ...]) -> str:
    settings = model.config("config_sentence_transformers.json")
    prompts = settings.get("prompts") or {}
    name = next((name for name in names if prompts.get(name)), settings.get("default_prompt_name"))
    prompt = str(prompts.get(name) or "") if name else ""
    if prompt and not _pooled_with_prompt(model):
        raise SourceRefused(model.folder, "unsupported pooling: its mean excludes the prompt", "use another model")
    return prompt


def _pooled_with_prompt(model: Model) -> bool:
    pooling = [path for path in sorted(model.folder.glob("*_Pooling")) if Path(path).is_dir()]
    return all(model.config(f"{path.name}/config.json").get("include_prompt", True) for path in pooling)
