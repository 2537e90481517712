import os
from fastapi import FastAPI

app = FastAPI()
