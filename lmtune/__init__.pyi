"""What editors and type checkers see of lmtune: its public names, each from its home."""

from lmtune.chapters.card import card as card
from lmtune.chapters.card import hint as hint
from lmtune.chapters.card import passed as passed
from lmtune.chapters.registry import check as check
from lmtune.data.examples import labelled as labelled
from lmtune.data.examples import pairs as pairs
from lmtune.data.examples import windows as windows
from lmtune.data.packing import pack as pack
from lmtune.data.tasks import classification as classification
from lmtune.data.tasks import language_modelling as language_modelling
from lmtune.data.tasks import summarization as summarization
from lmtune.data.wellformed import disjoint as disjoint
from lmtune.diagnostics.range_test import range_test as range_test
from lmtune.hpo.search import search as search
from lmtune.hpo.space import Float as Float
from lmtune.hpo.space import Integer as Integer
from lmtune.models.classifier import classifier as classifier
from lmtune.models.encoder import embed as embed
from lmtune.models.encoder import load_encoder as load_encoder
from lmtune.models.generation import generate as generate
from lmtune.models.loading import load as load
from lmtune.models.lora import add_lora as add_lora
from lmtune.models.lora import merge_lora as merge_lora
from lmtune.models.vocabulary import add_tokens as add_tokens
from lmtune.notebook.claims import claim as claim
from lmtune.notebook.comparison import compare as compare
from lmtune.notebook.explorer import explore as explore
from lmtune.notebook.homework import check_notebook as check_notebook
from lmtune.plots import figure as figure
from lmtune.plots import show as show
from lmtune.training.config import Config as Config
from lmtune.training.evaluation import evaluate as evaluate
from lmtune.training.history import History as History
from lmtune.training.loop import fit as fit
from lmtune.training.loop import run as run
from lmtune.training.losses import anchored as anchored
from lmtune.training.losses import classification_loss as classification_loss
from lmtune.training.losses import distilled as distilled
from lmtune.training.losses import next_token_loss as next_token_loss
from lmtune.training.losses import penalized as penalized
from lmtune.training.losses import smoothed as smoothed

__version__: str
__all__: list[str]
